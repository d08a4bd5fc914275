"""Commands to a running run: each is a row of the store, obeyed by the engine of whichever process owns the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.base.errors import BrigadeError, ConfigError, UnknownError
from core.base.records import RunStatus
from core.base.views import ControlView
from core.flow import check_limit
from core.pipeline.allocations import Allocations
from core.pipeline.engine import Engine
from core.store import Store

ACTIONS = ("llm_limit", "search_limit", "pause", "resume", "cancel", "model")


def parse_limit(text: str, name: str) -> int:
    """A limit as an operator writes it: ConfigError names the value and the way out."""
    try:
        return check_limit(int(text), name)
    except ValueError:
        msg = f"The {name} limit is {text!r}; it must be a whole number of at least 1."
        raise ConfigError(msg) from None


def parse_model(text: str) -> tuple[str, str]:
    """`STAGE=NAME` as a pair."""
    stage, separator, model = text.partition("=")
    if not (separator and stage.strip() and model.strip()):
        msg = f"{text!r} is not STAGE=NAME, for example aspect_summary=practice-large."
        raise ConfigError(msg)
    return stage.strip(), model.strip()


@dataclass(frozen=True, slots=True)
class Effect:
    """What came of a command, `applied` or `refused: why`, and what is left to write to the store."""

    outcome: str
    write: Callable[[], None] | None = None


class Commands:
    """Applies the commands of one run to its engine. `apply` runs on the loop and never waits for the store."""

    def __init__(self, store: Store, run_id: str, allocations: Allocations) -> None:
        self._store = store
        self._run_id = run_id
        self._allocations = allocations
        self._verbs: dict[str, Callable[[Engine, ControlView], Effect]] = {
            "llm_limit": self._resize,
            "search_limit": self._resize,
            "pause": self._pause,
            "resume": self._resume,
            "cancel": self._cancel,
            "model": self._model,
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
        engine.resize(resource, parse_limit(control.new, resource))
        limits = engine.gates["search"].limit, engine.gates["llm"].limit
        return Effect("applied", lambda: self._store.runs.set_limits(self._run_id, *limits))

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

    def _model(self, engine: Engine, control: ControlView) -> Effect:
        stage, model = parse_model(control.new)
        known = [s.id for s in engine.context.workload.stages if s.kind == "llm"]
        if stage not in known:
            msg = f"There is no model stage {stage!r}; the stages are {', '.join(known)}."
            raise UnknownError(msg)
        engine.context.pool(model)
        self._allocations.override(stage, model)
        return Effect("applied", lambda: self._remember(stage, model))

    def _remember(self, stage: str, model: str) -> None:
        """Keep a change of model for whoever resumes the run."""
        settings = self._store.runs.view(self._run_id).settings
        models = {**settings.get("stage_models", {}), stage: model}
        self._store.runs.set_settings(self._run_id, {**settings, "stage_models": models})
