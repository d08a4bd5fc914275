"""What held a run back, in one sentence with a suggestion whose gain is simulated from the run's own calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from core.base.tuning_views import Attribution, Share, Suggestion
from core.base.views import StageHistory
from core.tuning.forecast import FEWEST_ITEMS, FLAT, FULL, rate, reach
from core.tuning.proposal import Proposal, Study
from core.tuning.scenario import Place, Scenario
from core.tuning.simulate import Played, play

WORTH = 0.3  # shares below this hold nothing back
NO_GAIN = 0.05  # a gain below this is not worth a change
AS_FAST = 0.97
LONG_RUN = 400  # items of which the steady state is told
# As many items as there are permits keep every gate full, and half as many again; three times that many items show the
# steady state. A page asks for this: a real run's window and more of them say the same, at twice the work.
ROOM, ROUNDS = 1.5, 3
SENTENCES = {
    "llm": "gate_full",
    "search": "gate_full",
    "stage": "gate_full",
    "endpoint": "gate_full",
    "rate": "rate_bound",
    "cool_down": "cooling",
    "outage": "outage",
    "cpu": "cpu_bound",
    "disk": "disk_bound",
}


@dataclass(frozen=True)
class Scene:
    """A run's own measurements, to ask what another setting would bring. items_per_s: what it really does."""

    proposal: Proposal
    history: Sequence[StageHistory]
    items_per_s: float = 0.0

    @cached_property
    def study(self) -> Study:
        """What the measurements say of the run as it is."""
        return Study(replace(self.proposal, items=max(self.proposal.items, LONG_RUN)), self.history)

    @cached_property
    def scenario(self) -> Scenario | None:
        """The run as it is; None where too little is known to simulate it."""
        return self.study.scenario() if self.study.plans and not self.study.missing else None

    @cached_property
    def now(self) -> float:
        """Items per second of the run as it is, simulated."""
        return self.rate(self.scenario) if self.scenario else 0.0

    def played(self, scenario: Scenario) -> Played:
        """The beginning of a long run."""
        fill = round(ROOM * (scenario.llm_limit + scenario.search_limit))
        filled = replace(scenario, window=min(scenario.most_items, fill))
        return play(filled, max(FEWEST_ITEMS, ROUNDS * filled.most_items))

    def rate(self, scenario: Scenario) -> float:
        """Items per second of a scenario in its steady state."""
        return rate(self.played(scenario))

    def changed(self, **changes: object) -> Played | None:
        """The run with its scenario changed; None where nothing can be simulated."""
        if self.scenario is None or not self.now:
            return None
        return self.played(_but(self.scenario, changes))

    def over_now(self, played: Played | None) -> float | None:
        """What it does more than the run as it is, as a share."""
        return None if played is None else rate(played) / self.now - 1

    def between(self, played: Played | None, **changes: object) -> tuple[float, float] | None:
        """The least and the most that a change can bring, where it was `played` beyond what was measured; else None."""
        if played is None or not reach(self.study, played):
            return None
        rates = [self.rate(_but(self.study.scenario(way), changes)) for way in (FULL, FLAT)]
        return rates[0] / self.now - 1, rates[1] / self.now - 1

    def gain(self, **changes: object) -> float | None:
        """What changing the scenario brings, as a share; None where nothing can be simulated."""
        return self.over_now(self.changed(**changes))


def _but(scenario: Scenario, changes: Mapping[str, object]) -> Scenario:
    """The scenario with other values of some of its fields."""
    return replace(scenario, **changes)  # type: ignore[arg-type]  # fields by name, of several types


def attribute(shares: Sequence[Share], watched_s: float, scene: Scene) -> Attribution:
    """The sentence and the suggestion for what was measured."""
    if not watched_s:
        return Attribution((), 0.0, "not_measured", {}, None)
    if not shares or shares[0].share < WORTH:
        most = shares[0].share if shares else 0.0
        return Attribution(tuple(shares), watched_s, "unconstrained", {"share": most}, Suggestion("longer_run"))
    top = shares[0]
    values = {"resource": top.resource, "name": top.name, "share": top.share, "limit": _limit(top, scene.proposal)}
    return Attribution(tuple(shares), watched_s, SENTENCES[top.resource], values, suggest(top, scene))


def _limit(top: Share, proposal: Proposal) -> int | None:
    """The number that is full: a gate's limit, a stage's most, the endpoint's seats."""
    if top.resource == "stage":
        return proposal.caps.get(top.name)
    seats = {e.name: e.limit for servers in proposal.servers.values() for e in servers}
    limits = {"llm": proposal.llm_limit, "search": proposal.search_limit, "endpoint": seats.get(top.name)}
    return limits.get(top.resource)


def suggest(top: Share, scene: Scene) -> Suggestion:
    """What to do about the resource that the run waited for longest."""
    return _SUGGESTIONS[top.resource](top, scene)


def _more_quota(top: Share, scene: Scene) -> Suggestion:
    return _simulated("raise_rate", {"name": top.name}, _over_actual(scene))


def _wait(top: Share, _: Scene) -> Suggestion:
    return Suggestion("wait_for_endpoint", {"name": top.name}, 1 / max(1 - top.share, 0.01) - 1, "arithmetic")


def _faster_disk(_: Share, scene: Scene) -> Suggestion:
    return _simulated("faster_disk", {}, scene.gain(commit_s=0.0))


def _more_processes(_: Share, __: Scene) -> Suggestion:
    return Suggestion("more_processes")


def _simulated(key: str, values: Mapping[str, object], gain: float | None) -> Suggestion:
    return Suggestion(key, values, gain, "none" if gain is None else "simulation")


def _resize(top: Share, scene: Scene) -> Suggestion:
    """Twice the limit where that brings something; half of it where that costs nothing."""
    resource = top.resource
    name = f"{resource}_limit"
    old = int(getattr(scene.proposal, name))
    twice = scene.changed(**{name: 2 * old})
    gain = scene.over_now(twice)
    if gain is None or gain >= NO_GAIN:
        told = _simulated("raise_limit", {"resource": resource, "old": old, "new": 2 * old}, gain)
        between = scene.between(twice, **{name: 2 * old})
        return replace(told, basis="extrapolation", between=between) if between else told
    fewer = scene.gain(**{name: max(1, old // 2)})
    if old > 1 and fewer is not None and fewer >= AS_FAST - 1:
        return _simulated("lower_limit", {"resource": resource, "old": old, "new": max(1, old // 2)}, fewer)
    return _simulated("saturated", {"resource": resource, "limit": old, "name": _servers(scene)}, gain)


def _servers(scene: Scene) -> str:
    names = {e.name for servers in scene.proposal.servers.values() for e in servers}
    return ", ".join(sorted(names or {h.endpoint for h in scene.history if h.resource == "llm"}))


def _raise_stage(top: Share, scene: Scene) -> Suggestion:
    stage = top.name
    old = scene.proposal.caps.get(stage, 1)
    gain = scene.gain(caps={**scene.proposal.caps, stage: 2 * old})
    return _simulated("raise_stage", {"name": stage, "old": old, "new": 2 * old}, gain)


def _more_seats(top: Share, scene: Scene) -> Suggestion:
    """Twice the seats there; another such endpoint where that brings nothing."""
    names = top.name
    if scene.scenario is None:
        return Suggestion("raise_seats", {"name": names, "old": None, "new": None})
    asked = names.split(", ")
    wider = _changed(scene.scenario, asked, lambda place: [replace(place, limit=2 * (place.limit or 1))])
    gain = scene.gain(places=wider)
    seats = sum(p.limit or 0 for p in _unique(scene.scenario) if p.name in asked)
    if gain is None or gain >= NO_GAIN:
        return _simulated("raise_seats", {"name": names, "old": seats, "new": 2 * seats}, gain)
    twice = _changed(scene.scenario, asked, lambda place: [place, replace(place, name=f"{place.name} (2)")])
    return _simulated("add_endpoint", {"name": names}, scene.gain(places=twice))


def _changed(
    scenario: Scenario, names: Sequence[str], change: Callable[[Place], Sequence[Place]]
) -> dict[str, tuple[Place, ...]]:
    return {
        stage: tuple(new for place in places for new in (change(place) if place.name in names else [place]))
        for stage, places in scenario.places.items()
    }


def _unique(scenario: Scenario) -> list[Place]:
    return list({place.name: place for places in scenario.places.values() for place in places}.values())


def _over_actual(scene: Scene) -> float | None:
    """What the run would do without any quota, over what it really does."""
    if scene.scenario is None or not scene.items_per_s:
        return None
    free = _changed(
        scene.scenario,
        [place.name for place in _unique(scene.scenario)],
        lambda place: [replace(place, rpm=None, tpm=None)],
    )
    return max(0.0, scene.rate(replace(scene.scenario, places=free)) / scene.items_per_s - 1)


_SUGGESTIONS: Mapping[str, Callable[[Share, Scene], Suggestion]] = {
    "llm": _resize,
    "search": _resize,
    "stage": _raise_stage,
    "endpoint": _more_seats,
    "rate": _more_quota,
    "cool_down": _more_quota,
    "outage": _wait,
    "cpu": _more_processes,
    "disk": _faster_disk,
}
