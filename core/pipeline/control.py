"""Commands to a running run: each is a row of the store, obeyed by the engine of whichever process owns the run."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from core.base.allocation import Override
from core.base.allocation_keys import KEYS, PARSERS
from core.base.errors import BrigadeError, ConfigError, UnknownError
from core.base.records import RunStatus
from core.base.setting_table import money
from core.base.views import ControlView
from core.base.workload import Stage
from core.models.room import check_room
from core.pipeline.allocations import MODELS, Allocations
from core.pipeline.engine import Engine
from core.pipeline.sizing import AUTO, BOUNDS, kept_sizings, parse_bound, parse_wanted
from core.store import Store

LIMITS = ("llm_limit", "search_limit")
ACTIONS = (*LIMITS, *BOUNDS, "budget", "pause", "resume", "cancel", *KEYS)
EXAMPLES = {"model": "practice-large", "max_tokens": "200", "temperature": "0.7", "fallback": "a,b"}


def parse_allocation(key: str, text: str) -> tuple[str, str]:
    """`STAGE=VALUE` as a pair; without a value the control is taken back. ConfigError names what is wrong."""
    stage, separator, value = (word.strip() for word in text.partition("="))
    if not (separator and stage):
        msg = f"{text!r} is not STAGE=VALUE, for example aspect_summary={EXAMPLES.get(key, '4')}."
        raise ConfigError(msg)
    try:
        if value:
            PARSERS[key](value)
    except ValueError as exc:
        msg = f"{key} of {stage} = {value!r}: {exc}."
        raise ConfigError(msg) from None
    return stage, value


def parse_budget(text: str) -> Decimal:
    """What a run may cost, in US dollars: ConfigError names the value and the way out."""
    try:
        return money(text)
    except ValueError as exc:
        msg = f"The budget is {text!r}; it {exc}, for example 2.50."
        raise ConfigError(msg) from None


def keep_budget(store: Store, run_id: str, budget: Decimal) -> None:
    """Remember what a run may cost for whoever resumes it (blocking)."""
    settings = store.runs.view(run_id).settings
    store.runs.set_settings(run_id, {**settings, "budget_usd": str(budget)})


@dataclass(frozen=True, slots=True)
class Effect:
    """What came of a command, `applied` or `refused: why`, and what is left to write to the store.

    ready: what takes time until the command holds; a BrigadeError of it refuses the command after all.
    """

    outcome: str
    write: Callable[[], None] | None = None
    ready: Coroutine[Any, Any, None] | None = None


class Commands:
    """Applies the commands of one run to its engine. `apply` runs on the loop and waits for nothing."""

    def __init__(self, store: Store, run_id: str, allocations: Allocations) -> None:
        self._store = store
        self._run_id = run_id
        self._allocations = allocations
        self._verbs: dict[str, Callable[[Engine, ControlView], Effect]] = {
            **dict.fromkeys(LIMITS, self._resize),
            **dict.fromkeys(BOUNDS, self._bound),
            "budget": self._budget,
            "pause": self._pause,
            "resume": self._resume,
            "cancel": self._cancel,
            **dict.fromkeys(KEYS, self._allocate),
        }

    def skip_old(self) -> int:
        """The id after which commands count; older ones spoke to an earlier session and are closed as such."""
        last = 0
        for control in self._store.controls.pending(self._run_id, 0):
            self._store.controls.applied(control.id, "superseded")
            last = control.id
        return last

    def apply(self, engine: Engine, control: ControlView) -> Effect:
        """Obey one command."""
        verb = self._verbs.get(control.action)
        if verb is None:
            return Effect(f"refused: unknown action {control.action!r}")
        try:
            return verb(engine, control)
        except BrigadeError as error:
            return Effect(f"refused: {error}")

    def write(self, control: ControlView, effect: Effect) -> None:
        """Record what came of a command (blocking)."""
        if effect.write is not None:
            effect.write()
        self._store.controls.applied(control.id, effect.outcome)

    def _resize(self, engine: Engine, control: ControlView) -> Effect:
        resource = control.action.removesuffix("_limit")
        wanted = parse_wanted(control.new, resource)
        if wanted != AUTO:
            check_room(resource, int(wanted))
        engine.resize(resource, wanted, who=control.who, reason=control.reason)
        return self._sized(engine)

    def _bound(self, engine: Engine, control: ControlView) -> Effect:
        """Another floor, ceiling or SLO for auto."""
        resource, name, value = parse_bound(control.action, control.new)
        if name == "ceiling" and value is not None:
            check_room(resource, int(value))
        engine.tuner.bound(resource, who=control.who, reason=control.reason, **{name: value})
        return self._sized(engine)

    def _sized(self, engine: Engine) -> Effect:
        """Keep the limits in force, and what the operator wants of them for whoever resumes the run."""
        limits = engine.gates["search"].limit, engine.gates["llm"].limit
        wanted = kept_sizings(engine.tuner.sizings)

        def write() -> None:
            self._store.runs.set_limits(self._run_id, *limits)
            settings = self._store.runs.view(self._run_id).settings
            self._store.runs.set_settings(self._run_id, {**settings, "limits": wanted})

        return Effect("applied", write)

    def _budget(self, engine: Engine, control: ControlView) -> Effect:
        """Another budget: it holds for the next call, and below what is spent it ends the run."""
        budget = engine.context.budget.limit = parse_budget(control.new)
        return Effect("applied", lambda: keep_budget(self._store, self._run_id, budget))

    def _pause(self, engine: Engine, control: ControlView) -> Effect:
        engine.pause()
        return self._status(RunStatus.PAUSED, control.reason or f"Paused by {control.who}.")

    def _resume(self, engine: Engine, control: ControlView) -> Effect:
        engine.resume()
        return self._status(RunStatus.RUNNING, "")

    def _status(self, status: RunStatus, reason: str) -> Effect:
        return Effect("applied", lambda: self._store.runs.set_status(self._run_id, status, reason))

    def _cancel(self, engine: Engine, control: ControlView) -> Effect:
        engine.abort(RunStatus.CANCELLED, control.reason or f"Cancelled by {control.who}.")
        return Effect("applied")

    def _allocate(self, engine: Engine, control: ControlView) -> Effect:
        """Give a stage a value: at once, or as soon as a model that is new to the run has been made ready."""
        stage_id, value = parse_allocation(control.action, control.new)
        stage = _model_stage(engine, stage_id)
        given = Override(value, control.who) if value else None
        before = self._allocations.override(stage.id, control.action, given)
        engine.reallocate()
        ready = self._made_ready(engine, stage, control.action, given, before) if control.action in MODELS else None
        return Effect("applied", self._remember, ready)

    async def _made_ready(
        self, engine: Engine, stage: Stage, key: str, given: Override | None, before: Override | None
    ) -> None:
        """Make the stage's models ready; where that fails, and nothing newer was said, all is as it was before."""
        try:
            for model in self._allocations.wanted(stage).chain:
                await self._allocations.make_ready(model)
        except BrigadeError:
            if self._allocations.overrides.get(f"{stage.id}.{key}") is given:
                self._allocations.override(stage.id, key, before)
            raise
        engine.reallocate()

    def _remember(self) -> None:
        """Keep what was said by hand for whoever resumes the run."""
        said = {name: asdict(override) for name, override in self._allocations.overrides.items()}
        settings = self._store.runs.view(self._run_id).settings
        self._store.runs.set_settings(self._run_id, {**settings, "controls": said})


def _model_stage(engine: Engine, stage_id: str) -> Stage:
    known = {stage.id: stage for stage in engine.context.workload.stages if stage.kind == "llm"}
    if stage_id not in known:
        msg = f"There is no model stage {stage_id!r}; the stages are {', '.join(known)}."
        raise UnknownError(msg)
    return known[stage_id]
