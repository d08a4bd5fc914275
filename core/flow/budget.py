"""Money that a run may spend: reserved before a call is sent, settled when it is back."""

from __future__ import annotations

from decimal import Decimal

ZERO = Decimal(0)


class Budget:
    """settled + reserved never passes `limit` at admission (None: no limit). Amounts are US dollars."""

    def __init__(self, limit: Decimal | None = None, *, settled: Decimal = ZERO) -> None:
        self.limit = limit
        self.settled = settled
        self.reserved = ZERO

    def __repr__(self) -> str:
        return f"<Budget {self.settled} settled + {self.reserved} reserved of {self.limit}>"

    def reserve(self, amount: Decimal | None) -> bool:
        """Set money aside for a call; False when it would pass the limit. An unpriced call costs nothing here."""
        cost = amount or ZERO
        if self.limit is not None and self.settled + self.reserved + cost > self.limit:
            return False
        self.reserved += cost
        return True

    def settle(self, reserved: Decimal | None, actual: Decimal | None) -> None:
        """Replace a reservation by what the call cost."""
        self.reserved -= reserved or ZERO
        self.settled += actual or ZERO
