"""Made-up measurements and runs by hand, for the arithmetic of forecasts."""

from __future__ import annotations

from decimal import Decimal

from core.base.records import Item
from core.base.views import Level, StageHistory
from core.base.workload_files import find_workload
from core.tuning.proposal import Proposal

RESTAURANTS = find_workload("restaurant-reviews")
CARDS = find_workload("celtic-cross")
PLACE = Item("r1", "Place 1")
READING = Item("c1", "A reading", "reading", {"cards": [{"id": f"c{n}", "position": f"{n}"} for n in range(10)]})
LINE = tuple(Level(n, 50, 1 + 0.05 * n) for n in (1.0, 2.0, 4.0, 8.0, 16.0))  # 1 + 0.05 n


def seen(
    stage: str,
    service_s: float,
    spread: float = 0.0,
    cost: str | None = "0.001",
    *,
    model: str = "small",
    endpoint: str = "gpu",
    levels: tuple[Level, ...] = (),
    **more: object,
) -> StageHistory:
    """What requests of a stage took: mean, spread to either side, cost of a call."""
    search = stage == "search"
    usd = None if cost is None or search else Decimal(cost)
    quantiles = (service_s - spread, service_s, service_s + spread)
    given: dict[str, object] = {"in_flight": 1.0, **more}
    return StageHistory(
        stage,
        "search" if search else "llm",
        "" if search else model,
        1,
        100,
        service_s,
        service_s - 0.8 * spread,
        service_s + 0.8 * spread,
        100,
        50,
        usd,
        usd,
        usd,
        endpoint="search" if search else endpoint,
        parts=3 if search else int(stage == "aspect_summary"),
        quantiles=quantiles,
        levels=levels or (Level(1.0, 50, service_s), Level(64.0, 50, service_s)),
        **given,  # type: ignore[arg-type]
    )


HISTORY = (seen("search", 0.1), seen("aspect_summary", 1.0), seen("total_summary", 2.0, cost="0.002"))


def places(count: int, **over: object) -> Proposal:
    """So many restaurants with four model calls and two searches at a time."""
    given: dict[str, object] = {"llm_limit": 4, "search_limit": 2, **over}
    return Proposal(RESTAURANTS, count, [PLACE], **given)  # type: ignore[arg-type]
