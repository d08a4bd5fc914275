"""Doing things anew in the fake service: each makes a run that names the earlier one."""

from __future__ import annotations

from typing import Any

from core.again import Again
from core.base.errors import RunError


class FakeAgain:
    """Expects `sent`, `refuse` and `_runs` beside it; `parents` says which run goes over which."""

    sent: list[tuple[Any, ...]]
    refuse: str | None
    parents: dict[str, str]
    _runs: list[tuple[Any, ...]]

    def rerun(self, run_id: str, item_id: str, *, stage: str | None = None, who: str) -> str:
        self.sent.append(("rerun", run_id, item_id, stage, who))
        return self._anew(run_id, 1)

    def start_again(self, run_id: str, again: Again, *, who: str) -> str:
        self.sent.append(("again", run_id, again.only_failed, who))
        return self._anew(run_id, 4)

    def _anew(self, run_id: str, selected: int) -> str:
        if self.refuse:
            raise RunError(self.refuse)
        new = f"run-again-{len(self._runs)}"
        workload = next(row[1] for row in self._runs if row[0] == run_id)
        self._runs.insert(0, (new, workload, "finished", "", 0.1, selected, selected, 0, 0, 0, "0.0019"))
        self.parents[new] = run_id
        return new
