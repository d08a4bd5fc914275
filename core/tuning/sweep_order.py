"""What somebody wants swept: checked, before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from core.base.errors import ConfigError
from core.base.workload import Workload
from core.flow import check_limit

RESOURCES = ("llm", "search")
HIGHEST = 4096
ADAPTIVE = "auto"


@dataclass(frozen=True, slots=True)
class SweepOrder:
    """A sweep to be. ConfigError for what no sweep can be given.

    limits: the grid (empty: found while measuring, few of them and dense at the knee). endpoint: the name of the one
    endpoint that is measured (None: the first that serves the model); model: what every model stage uses there (None:
    the configured one where the endpoint serves it, else its first); preset: rehearse on a practice server instead.
    """

    workload: str
    items: str | tuple[str, ...] = "all"
    resource: str = "llm"
    limits: tuple[int, ...] = ()
    slo_p95_s: float | None = None
    endpoint: str | None = None
    model: str | None = None
    preset: str | None = None
    budget: Decimal | None = None

    def __post_init__(self) -> None:
        if self.resource not in RESOURCES:
            msg = f"There is no resource {self.resource!r} to sweep; there are {' and '.join(RESOURCES)}."
            raise ConfigError(msg)
        for limit in self.limits:
            check_limit(limit, self.resource)
        if self.limits and max(self.limits) > HIGHEST:
            msg = f"A limit of {max(self.limits)} is more than a sweep tries; the highest is {HIGHEST}."
            raise ConfigError(msg)
        if self.slo_p95_s is not None and not 0 < self.slo_p95_s < float("inf"):
            msg = f"The latency target is {self.slo_p95_s}; it must be a number of seconds above 0."
            raise ConfigError(msg)
        object.__setattr__(self, "limits", tuple(sorted(set(self.limits))))

    def kept(self) -> dict[str, Any]:
        """What a resume needs to know of it, as JSON."""
        names = ("resource", "slo_p95_s", "endpoint", "model", "preset")
        return {"limits": list(self.limits), **{name: getattr(self, name) for name in names}}

    def of(self, workload: Workload) -> Workload:
        """The workload as it is swept: without other models to fall back to; a sweep of searches has no model calls."""
        kept = [s for s in workload.stages if self.resource == "llm" or s.kind == "search"]
        if not any(stage.kind == self.resource for stage in kept):
            what = "model calls" if self.resource == "llm" else "searches"
            msg = f"Workload {workload.id!r} has no {what} to sweep."
            raise ConfigError(msg)
        return replace(workload, stages=tuple(replace(stage, fallback=()) for stage in kept))


def order_again(workload: str, kept: Mapping[str, Any]) -> SweepOrder:
    """The order of a sweep that is to go on, as it was kept."""
    return SweepOrder(workload, **{**kept, "limits": tuple(kept["limits"])})


def parse_limits(text: str) -> tuple[int, ...]:
    """`1,2,4,8` as numbers; `auto` as none. ConfigError names the word that is no number."""
    if text.strip().lower() == ADAPTIVE:
        return ()
    words = [word.strip() for word in text.replace(" ", ",").split(",") if word.strip()]
    if not words:
        msg = f"{text!r} names no limit; write them as 1,2,4,8 or auto."
        raise ConfigError(msg)
    return tuple(_limit(word) for word in words)


def _limit(word: str) -> int:
    if not word.isdecimal() or not 1 <= int(word) <= HIGHEST:
        msg = f"{word!r} is not a limit from 1 to {HIGHEST}; write them as 1,2,4,8 or auto."
        raise ConfigError(msg)
    return int(word)
