"""Numbers as people read them, in the session's language. An unknown value is a dash, an unknown price `unpriced`."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from core.ui.language import t

DASH = "–"


def count(value: float | None) -> str:
    """A whole number with thousands separators."""
    return DASH if value is None else f"{value:,.0f}"


def rate(value: float | None) -> str:
    """A rate with as many decimals as it needs."""
    if value is None:
        return DASH
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}" if value >= 1 else f"{value:.2f}"


def share(value: float) -> str:
    """A share of one, as a percentage."""
    return f"{100 * value:.0f}%"


def seconds(value: float | None) -> str:
    """A duration: milliseconds below one second, then seconds, minutes, hours."""
    if value is None:
        return DASH
    if value < 1:
        return t("unit.ms", n=f"{1000 * value:.0f}")
    if value < 60:
        return t("unit.s", n=f"{value:.1f}" if value < 10 else f"{value:.0f}")
    if value < 3600:
        return t("unit.min", m=int(value // 60), s=int(value % 60))
    return t("unit.h", h=int(value // 3600), m=int(value % 3600 // 60))


def money(value: Decimal | None) -> str:
    """US dollars; `unpriced` where there is no price. Tiny sums keep two digits that say something."""
    if value is None:
        return t("unit.unpriced")
    if value == 0 or abs(value) >= 1:
        return f"${value:,.2f}"
    return f"${value:.{max(4, 1 - value.adjusted())}f}"


def moment(at: float | None) -> str:
    """A time in the viewer's time zone; the day only where it is not today."""
    if at is None:
        return DASH
    here = datetime.fromtimestamp(at, UTC).astimezone(viewer_zone())
    today = datetime.now(UTC).astimezone(viewer_zone()).date()
    return here.strftime("%H:%M" if here.date() == today else "%Y-%m-%d %H:%M")


def viewer_zone() -> ZoneInfo:
    """The time zone of the browser; UTC where it tells none."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
