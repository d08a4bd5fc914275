"""The choosing part of the service: which items a selection means, of a catalogue that is never empty."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from core.base.errors import UnknownError
from core.base.settings import Settings
from core.base.workload import Workload
from core.configuring import Configuring
from core.samples import Samples
from core.store import Store


class Choosing(Configuring):
    """Turns selections and ids into the items of a catalogue; samples fill an empty one."""

    def __init__(self, settings: Settings, store: Store, env: Mapping[str, str]) -> None:
        super().__init__(settings, store, env)
        self._samples = Samples(store, settings, env)
        self._importing = threading.Lock()

    def ensure_samples(self, progress: Callable[[str, float], None] | None = None) -> int:
        """Register the sample items of every workload that has none; how many were added."""
        with self._importing:
            return self._samples.ensure(self.workloads(), progress)

    def selected(self, workload: str, items: str | Sequence[str]) -> list[str]:
        """The ids that a choice of items means."""
        return self._select(self.workload(workload), items)

    def _select(self, workload: Workload, items: str | Sequence[str]) -> list[str]:
        if self.store.catalogue.count(workload.item_kind) == 0:
            self.ensure_samples()
        if isinstance(items, str):
            return self.store.catalogue.select(workload.item_kind, items)
        return self._known(workload.item_kind, items)

    def _known(self, kind: str, ids: Sequence[str]) -> list[str]:
        """Ids that are told one by one mean themselves, also where they look like a count, a file or a list."""
        known = set(self.store.catalogue.select(kind, "all"))
        if unknown := [item_id for item_id in ids if item_id not in known]:
            msg = f"There is no {kind} {', '.join(map(repr, unknown[:5]))}{' (and more)' if unknown[5:] else ''}."
            raise UnknownError(msg)
        return list(dict.fromkeys(ids))
