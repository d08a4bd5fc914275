"""A new run that goes over an earlier one's items again and takes over what has not changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from core.base.errors import RunError, UsageError
from core.base.records import ItemStatus
from core.base.settings import Settings
from core.base.views import RunView
from core.base.workload_files import find_workload
from core.kept_launch import launch_again
from core.launch import Launch, narrowed
from core.store import Store


@dataclass(frozen=True, slots=True)
class Again:
    """What to do of an earlier run. items None: all of its items, in its order; only_failed: of these just the ones
    that failed; only: the stages to do anew, the others as they stand; changes: what differs from its launch."""

    items: Sequence[str] | None = None
    only_failed: bool = False
    only: tuple[str, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)

    def launch(self, run: RunView, store: Store, settings: Settings, who: str) -> Launch:
        """The launch of the new run. Its parent stays as it is, and so do the exports and reports of it."""
        like = launch_again(run, settings, who)
        workload = narrowed(find_workload(run.workload, settings.workloads), self.only)
        ids = self._chosen(run, store)
        new = replace(like, workload=workload, items=ids, parent=run.id, only=self.only, forecast=None)
        return new.changed(self.changes)

    def _chosen(self, run: RunView, store: Store) -> tuple[str, ...]:
        if self.items is not None and not self.only_failed:
            return tuple(self.items)
        known = store.runs.item_ids(run.id, [ItemStatus.FAILED] if self.only_failed else list(ItemStatus))
        wanted = set(known if self.items is None else self.items)
        if not wanted.intersection(known):
            msg = f"Nothing to do: no {'failed ' if self.only_failed else ''}item of run {run.id} was chosen."
            raise RunError(msg)
        return tuple(item for item in known if item in wanted)


def same_workload(run: RunView, workload: str | None) -> None:
    """UsageError where a run's results cannot be the named workload's."""
    if workload is not None and workload != run.workload:
        msg = f"Run {run.id} is of workload {run.workload!r}: nothing of it can be taken over for {workload!r}."
        raise UsageError(msg)
