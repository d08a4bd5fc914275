"""Numbers as people read them on a terminal."""

from __future__ import annotations

import time
from decimal import Decimal


def seconds(value: float | None) -> str:
    """`12 ms`, `3.4 s`, `4 min 10 s`, `2 h 05 min`."""
    if value is None:
        return "-"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def money(value: Decimal | float | None) -> str:
    """US dollars with as many places as there is something to see; no price is `unpriced`, never zero."""
    if value is None:
        return "unpriced"
    return f"${value:,.2f}" if value >= 1 or not value else f"${value:.4f}"


def rate(value: float) -> str:
    """`2.5/s`, `14/min`."""
    return f"{value:.1f}/s" if value >= 1 or not value else f"{value * 60:.1f}/min"


def share(value: float) -> str:
    """`94 %`."""
    return f"{100 * value:.0f} %"


def moment(at: float | None) -> str:
    """Wall seconds as local date and time."""
    return "-" if at is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def plural(count: int, one: str, many: str = "") -> str:
    """`1 item`, `1,200 items`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
