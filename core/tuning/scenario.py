"""A run to be simulated: its plans, what each kind of call takes where, its limits and its servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.pipeline.plan import Plan
from core.tuning.speed import Speed


@dataclass(frozen=True, slots=True)
class Work:
    """What one kind of call asks of a server: seconds at slowdown 1 as equally spaced quantiles whose mean is `mean`.

    failure_share: tries that fail, each after failure_s at slowdown 1; tokens: in and out of a call, for quotas.
    """

    mean: float
    quantiles: tuple[float, ...]
    failure_share: float = 0.0
    failure_s: float = 0.0
    tokens: float = 0.0

    def draw(self, share: float) -> float:
        """The work below which that share of the calls lies, so scaled that the mean comes out right."""
        place = share * (len(self.quantiles) - 1)
        low = int(place)
        high = min(low + 1, len(self.quantiles) - 1)
        return self.quantiles[low] + (place - low) * (self.quantiles[high] - self.quantiles[low])

    def scaled(self, factor: float) -> Work:
        """The same for a call of so many times the parts."""
        return Work(
            self.mean * factor,
            tuple(value * factor for value in self.quantiles),
            self.failure_share,
            self.failure_s,
            self.tokens * factor,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """One endpoint: its speed, most calls in flight, requests and tokens a minute (None: not limited).

    works: what each (stage, number of parts) asks of it.
    """

    name: str
    speed: Speed
    works: Mapping[tuple[str, int], Work]
    limit: int | None = None
    rpm: float | None = None
    tpm: float | None = None

    def work(self, stage: str, parts: int) -> Work:
        """What a call asks; one of so many parts as never seen is told from the nearest, in proportion."""
        found = self.works.get((stage, parts))
        if found is not None:
            return found
        nearest = min((n for name, n in self.works if name == stage), key=lambda n: abs(n - parts))
        return self.works[stage, nearest].scaled(parts / nearest if nearest and parts else 1.0)

    def knows(self, stage: str) -> bool:
        """Whether calls of that stage were measured here, or are taken to be like another's."""
        return any(name == stage for name, _ in self.works)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that decides how long a run takes. plans: those of some items, taken in turn; places: where each
    stage's calls go; caps: a stage's own most; skips: by stage, the share of calls that are not needed; commit_s: a
    write to the ledger, before a call (its permit is held) and after it."""

    plans: Sequence[Plan]
    places: Mapping[str, tuple[Place, ...]]
    llm_limit: int
    search_limit: int
    window: int = 0
    caps: Mapping[str, int] = field(default_factory=dict)
    skips: Mapping[str, float] = field(default_factory=dict)
    commit_s: float = 0.0

    @property
    def most_items(self) -> int:
        """Items in flight at most, as the engine counts it."""
        return self.window or 2 * (self.llm_limit + self.search_limit)
