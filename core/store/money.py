"""Money in the tables: whole nano-dollars; `Decimal` everywhere else."""

from __future__ import annotations

from decimal import Decimal


def to_nano(usd: Decimal | None) -> int | None:
    """US dollars as whole nano-dollars, half to even; None stays None: an unknown price is not zero."""
    return None if usd is None else int(usd.scaleb(9).to_integral_value())


def to_usd(nano: int | None) -> Decimal | None:
    """Nano-dollars as US dollars."""
    return None if nano is None else Decimal(nano).scaleb(-9)


def total_usd(nano: int, priced: int, unpriced: int) -> Decimal | None:
    """What is known of a sum; None when every call that should have had a price has none."""
    return None if unpriced and not priced else Decimal(nano).scaleb(-9)
