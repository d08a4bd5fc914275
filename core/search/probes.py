"""The probes of a searcher: each query is embedded and fitted once, not once per restaurant."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from core.base.records import Query
from core.search.embedders import Embedder, load_embedder
from core.search.probe import Probe, make_probe

CAPACITY = 256


class Probes:
    """An LRU of probes; the embedder is loaded at the first miss, in a thread."""

    def __init__(self, load: Callable[[], Embedder]) -> None:
        self._load = load
        self._embedder: Embedder | None = None
        self._kept: OrderedDict[Query, Probe] = OrderedDict()
        self._making = threading.Lock()

    def __repr__(self) -> str:
        return f"<Probes {len(self._kept)}/{CAPACITY}, embedder {'loaded' if self._embedder else 'not loaded'}>"

    async def of(self, queries: Sequence[Query]) -> list[Probe]:
        """One probe per query; without a miss nothing leaves the loop."""
        probes = [self._kept.get(query) for query in queries]
        if all(probe is not None for probe in probes):
            return [probe for probe in probes if probe is not None]
        return await asyncio.to_thread(self._made, queries)

    def embedder(self) -> Embedder:
        """The embedder, loaded now if need be (blocking)."""
        with self._making:
            if self._embedder is None:
                self._embedder = self._load()
            return self._embedder

    def _made(self, queries: Sequence[Query]) -> list[Probe]:
        embedder = self.embedder()
        with self._making:
            return [self._one(query, embedder) for query in queries]

    def _one(self, query: Query, embedder: Embedder) -> Probe:
        probe = self._kept.get(query)
        if probe is None:
            probe = self._kept[query] = make_probe(query, embedder)
            if len(self._kept) > CAPACITY:
                self._kept.popitem(last=False)
        return probe


def probes_of(embedder: str, env: Mapping[str, str]) -> Probes:
    """Probes made with the embedder of that name."""
    return Probes(lambda: load_embedder(embedder, env))
