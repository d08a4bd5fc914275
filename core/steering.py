"""The steering part of the service: commands to runs, whoever owns them, and the runs of this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.base.allocation_keys import KEYS
from core.base.errors import BrigadeError, RunError, UnknownError
from core.base.records import RunStatus
from core.base.settings import Settings
from core.base.views import RunView
from core.launcher import Launcher
from core.pipeline.control import ACTIONS, LIMITS, keep_budget, parse_allocation, parse_budget
from core.pipeline.sizing import AUTO, parse_bound, parse_wanted
from core.pipeline.sizing import BOUNDS as BOUND_ACTIONS
from core.planning import Planning
from core.runtime import Runtime
from core.store import Store

ENDED = (RunStatus.FINISHED, RunStatus.CANCELLED)


class Steering(Planning):
    """Steers runs by rows in `controls`; owns the thread that this process's runs are on."""

    def __init__(self, settings: Settings, store: Store, env: Mapping[str, str]) -> None:
        super().__init__(settings, store, env)
        self._runtime = Runtime()
        self._launcher = Launcher(settings, store, self._runtime, env)

    def resume(
        self,
        run_id: str,
        *,
        who: str,
        retry_failed: bool = True,
        only_failed: bool = False,
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        """Go on with a run that no process owns; done nodes are not done again.

        only_failed: leave what is pending for another time; changes: what differs from before: llm_limit,
        search_limit, model, stage_models, window, budget, only (stages).
        """
        self._launcher.resume(
            self.run(run_id), who=who, retry_failed=retry_failed, only_failed=only_failed, changes=changes or {}
        )

    def control(self, run_id: str, action: str, new: str = "", *, who: str, reason: str = "") -> int:
        """Send a command to the run's owner; the id of its row.

        A run without an owner is resumed here, or ended, by the same words.
        """
        run = self.run(run_id)
        old = replaced(run, action, new)
        command = self.store.controls.send(run.id, action, new, who=who, reason=reason, old=old)
        if not run.owner_alive:
            self._without_owner(run, action, new, command, who)
        return command

    def _without_owner(self, run: RunView, action: str, new: str, command: int, who: str) -> None:
        if action == "resume":
            self.store.controls.applied(command, "applied")  # now: the run's next session would find it out of date
            try:
                self.resume(run.id, who=who)
            except BrigadeError as error:
                self.store.controls.applied(command, f"refused: {error}")
                raise
        elif action == "cancel":
            self.store.runs.set_status(run.id, RunStatus.CANCELLED, f"Cancelled by {who}.")
            self.store.controls.applied(command, "applied")
        elif action == "budget":
            keep_budget(self.store, run.id, parse_budget(new))
            self.store.controls.applied(command, "applied")
        else:
            self.store.controls.applied(command, "refused: no process owns the run; resume it first")

    def wait(self, run_id: str, timeout: float | None = None) -> RunView:
        """Wait until a run of this process ends (or the time is up)."""
        run = self.run(run_id)
        self._launcher.wait(run.id, timeout)
        return self.run(run.id)

    def owns(self, run_id: str) -> bool:
        """Whether this process is at work on a run."""
        return self._launcher.owns(self._id(run_id))

    def stop(self, run_id: str, reason: str, *, at_once: bool = False) -> None:
        """Let a run of this process admit no more and drain, or cancel what is in flight; it becomes `interrupted`."""
        self._launcher.stop(self._id(run_id), reason, at_once=at_once)


def replaced(run: RunView, action: str, new: str) -> str:
    """The value that a command replaces; UnknownError, RunError or ConfigError for what cannot be obeyed."""
    if action not in ACTIONS:
        msg = f"There is no command {action!r}; there are {', '.join(ACTIONS)}."
        raise UnknownError(msg)
    if run.status in ENDED:
        msg = f"Run {run.id} is {run.status.value}; it takes no commands any more."
        raise RunError(msg)
    if action in LIMITS:
        return _replaced_limit(run, action, new)
    if action in BOUND_ACTIONS:
        resource, name, _ = parse_bound(action, new)
        return str(_limits(run, resource).get(name) or "none")
    if action in KEYS:
        parse_allocation(action, new)
    if action == "budget":
        parse_budget(new)
        return str(run.settings.get("budget_usd") or "none")
    return run.status.value


def _replaced_limit(run: RunView, action: str, new: str) -> str:
    resource = action.removesuffix("_limit")
    parse_wanted(new, resource)
    now = str(getattr(run, action))
    return f"auto ({now})" if _limits(run, resource).get("mode") == AUTO else now


def _limits(run: RunView, resource: str) -> Mapping[str, Any]:
    """What a run keeps of how one resource is limited."""
    limits: Mapping[str, Any] = run.settings.get("limits", {}).get(resource, {})
    return limits
