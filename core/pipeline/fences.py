"""The random words that fence foreign text in prompts: nobody who wrote it can know them."""

from __future__ import annotations

import secrets

LENGTH = 8  # hexadecimal digits
STOCK = 512


class Fences:
    """A fresh word per call, out of the system's randomness, which is asked for many at once: each time costs a system
    call that lets another thread take the interpreter."""

    def __init__(self) -> None:
        self._stock: list[str] = []

    def __repr__(self) -> str:
        return f"<Fences, {len(self._stock)} in stock>"

    def fresh(self) -> str:
        """A word that was not given before, but by chance."""
        if not self._stock:
            digits = secrets.token_hex(STOCK * LENGTH // 2)
            self._stock = [digits[at : at + LENGTH] for at in range(0, len(digits), LENGTH)]
        return self._stock.pop()
