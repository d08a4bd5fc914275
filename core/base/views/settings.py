"""What the settings come to, layer by layer: allocations, endpoints, the budget of a day."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class AllocationView:
    """One value of a stage's allocation ('' as the stage: of the workload), which layer says it, and what the weaker
    layers beneath would say: (value, source), strongest first."""

    workload: str
    stage: str
    key: str
    value: str | int | float | tuple[str, ...] | None
    source: str
    overridden: tuple[tuple[str | int | float | tuple[str, ...] | None, str], ...] = ()


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint as configuration and database together say. `source` is where it stands, both where the database
    changes what the configuration says; a removed one takes no new calls; `problem` says why what the database holds
    is ignored."""

    name: str
    kind: str
    url: str
    models: tuple[str, ...]
    limit: int | None
    rpm: int | None
    tpm: int | None
    source: str
    removed: bool = False
    key_env: str | None = None
    key_set: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DayView:
    """What all runs have spent, or have in flight, of this day by the machine's clock, and the most they may (None:
    any). by_hand: the budget stands on this process's command line, so that the stored one does not count."""

    spent_usd: Decimal
    budget_usd: Decimal | None
    by_hand: bool = False
