"""What the operator wants of a resource: a number of calls in flight, or `auto` within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from core.base.errors import ConfigError
from core.flow import check_limit

AUTO: Final = "auto"
CEILING = 512
STARTS = {"llm": 16, "search": 8}
LONGEST_SLO_S = 3600.0
Wanted = int | str


@dataclass(frozen=True, slots=True)
class Sizing:
    """A number for one resource (`llm` or `search`), or `auto`: found between floor and ceiling, both inclusive.

    The bounds hold for each endpoint and the ceiling for all together. slo_p95_s: with auto, seconds that 95 % of the
    model calls must not pass. ConfigError for what no run can have.
    """

    resource: str
    limit: Wanted
    floor: int = 1
    ceiling: int = CEILING
    slo_p95_s: float | None = None

    def __post_init__(self) -> None:
        if self.limit != AUTO:
            check_limit(self.limit, self.resource)  # type: ignore[arg-type]  # a text other than auto is refused there
        check_limit(self.floor, f"least {self.resource}")
        check_limit(self.ceiling, f"most {self.resource}")
        if self.floor > self.ceiling:
            msg = f"The {self.resource} floor is {self.floor}, above its ceiling of {self.ceiling}. Swap the two."
            raise ConfigError(msg)
        self._check_slo()

    def _check_slo(self) -> None:
        slo = self.slo_p95_s
        if slo is None:
            return
        if not 0 < slo <= LONGEST_SLO_S:
            msg = f"The SLO is {slo} s; the 95th percentile must be above 0 and at most {LONGEST_SLO_S:.0f} s."
            raise ConfigError(msg)
        if self.limit != AUTO:
            msg = f"An SLO of {slo:g} s needs --{self.resource}-limit auto; a fixed limit of {self.limit} ignores it."
            raise ConfigError(msg)

    @property
    def auto(self) -> bool:
        """Whether an algorithm finds the limit."""
        return self.limit == AUTO

    @property
    def mode(self) -> str:
        """`auto` or `fixed`."""
        return AUTO if self.auto else "fixed"

    @property
    def begin(self) -> int:
        """What the gate begins with: the number, or where auto starts."""
        return self.within(STARTS[self.resource]) if self.limit == AUTO else int(self.limit)

    @property
    def most(self) -> int:
        """The most that may come to be in flight."""
        return self.ceiling if self.limit == AUTO else int(self.limit)

    def within(self, limit: int) -> int:
        """The nearest limit that the bounds allow."""
        return min(max(limit, self.floor), self.ceiling)

    def changed_to(self, limit: Wanted) -> Sizing:
        """The same with another limit; a number by hand has no SLO."""
        return replace(self, limit=limit, slo_p95_s=self.slo_p95_s if limit == AUTO else None)


# The commands that change bounds: resource, field.
BOUNDS: Final = {
    "llm_min": ("llm", "floor"),
    "llm_max": ("llm", "ceiling"),
    "search_min": ("search", "floor"),
    "search_max": ("search", "ceiling"),
    "slo_p95": ("llm", "slo_p95_s"),
}
NO_SLO = "none"


def parse_bound(action: str, text: str) -> tuple[str, str, float | None]:
    """What a command changes and to what: (resource, field, value). An SLO is in seconds, or `none`."""
    resource, name = BOUNDS[action]
    if name == "slo_p95_s" and text.strip().lower() == NO_SLO:
        return resource, name, None
    try:
        return resource, name, float(text) if name == "slo_p95_s" else check_limit(int(text), action)
    except ValueError:
        must = "seconds, or none" if name == "slo_p95_s" else "a whole number of at least 1"
        msg = f"{action} is {text!r}; it must be {must}."
        raise ConfigError(msg) from None


def kept_sizings(sizings: Mapping[str, Sizing]) -> dict[str, Any]:
    """What the operator wants, as a run's row keeps it."""
    return {name: {**asdict(sizing), "mode": sizing.mode} for name, sizing in sizings.items()}


def sizing_again(kept: Mapping[str, Any], resource: str, limit: Wanted) -> Sizing:
    """What the operator wanted of a resource; of a run that has kept nothing, its limit by hand."""
    said = dict(kept.get(resource, {}))
    said.pop("mode", None)
    sizing = Sizing(**said) if said else Sizing(resource, limit)
    return sizing if sizing.auto else replace(sizing, limit=limit)


def parse_wanted(text: str, resource: str) -> Wanted:
    """A limit as an operator writes it: a whole number of at least 1, or `auto`. ConfigError names the value."""
    if text.strip().lower() == AUTO:
        return AUTO
    try:
        return check_limit(int(text), resource)
    except ValueError:
        msg = f"The {resource} limit is {text!r}; it must be a whole number of at least 1, or auto."
        raise ConfigError(msg) from None
