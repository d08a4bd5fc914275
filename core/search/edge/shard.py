"""One open shard per path and process, shared by whoever writes and searches, and locked against other processes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from core.base.endpoints import SearchConfig
from core.base.errors import IndexLockedError, IndexMismatchError, SearchError
from core.search.identity import Mark, require_same

MARK = "brigade.json"
OWNER = "owner.json"
SEGMENTS = "shard"

_open: dict[Path, Shard] = {}
_registry = threading.RLock()


class Shard:
    """A reference to the engine's handle; `release` closes it with the last reference.

    The engine holds the GIL while it works, so that calls from several threads follow one another; `lock` keeps
    closing apart from them.
    """

    def __init__(self, path: Path, mark: Mark, handle: Any) -> None:
        self.path = path
        self.mark = mark
        self.handle = handle
        self.references = 1

    def __repr__(self) -> str:
        return f"<Shard {self.path}, {self.references} references>"

    def release(self) -> None:
        """Give the reference back; the last one closes the shard and its lock."""
        with _registry:
            self.references -= 1
            if self.references == 0:
                _open.pop(self.path, None)
                with engine_errors(self.path):
                    self.handle.close()
                (self.path / OWNER).unlink(missing_ok=True)


def read_mark(path: Path) -> Mark | None:
    """What the index of that path says of itself; None where there is none. IndexMismatchError if unreadable."""
    try:
        return Mark(**json.loads((path / MARK).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as exc:
        msg = f"{path / MARK} cannot be read ({exc}). Restore it from a backup, or delete the folder and import again."
        raise IndexMismatchError(msg) from exc


def acquire(config: SearchConfig, wanted: Mark | None, *, create: bool = False) -> Shard:
    """A reference to the shard of `config.path`; `wanted` None takes it as it is.

    IndexMismatchError: missing (without `create`) or another embedder's; IndexLockedError: a second process has it.
    """
    path = config.path.expanduser().resolve()
    with _registry:
        shard = _open.get(path)
        if shard is None:
            shard = _open[path] = _opened(config, path, wanted, create)
        else:
            _require(shard.mark, wanted, path)
            shard.references += 1
        return shard


def _opened(config: SearchConfig, path: Path, wanted: Mark | None, create: bool) -> Shard:
    held = read_mark(path)
    if held is None and not (create and wanted):
        msg = f"There is no index at {path}. Import reviews first: python -m core import FILE."
        raise IndexMismatchError(msg)
    if held is not None:
        _require(held, wanted, path)
        shard = Shard(path, held, _loaded(path))
    else:
        assert wanted is not None  # noqa: S101 - checked above
        shard = Shard(path, wanted, _created(config, path, wanted))
    (path / OWNER).write_text(json.dumps({"pid": os.getpid()}), encoding="utf-8")
    return shard


def _require(held: Mark, wanted: Mark | None, path: Path) -> None:
    if wanted is not None:
        require_same(held, wanted, f"index {path}")


def _loaded(path: Path) -> Any:
    with engine_errors(path):
        return edge.EdgeShard.load(str(path / SEGMENTS))


def _created(config: SearchConfig, path: Path, mark: Mark) -> Any:
    """A new shard, without HNSW (a filtered query gains nothing) and with the log that survives kill -9.

    The mark is written last: a creation cut short leaves none, and the next one begins afresh.
    """
    segments = path / SEGMENTS
    try:
        segments.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        msg = f"The index folder {path} cannot be made ({exc.strerror}). Choose another path."
        raise SearchError(msg) from exc
    settings = edge.EdgeConfig(
        vectors={config.dense: edge.EdgeVectorParams(size=mark.dimension, distance=edge.Distance.Cosine)},
        sparse_vectors={config.sparse: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=10_000_000),
    )
    with engine_errors(path):
        handle = _begun(segments, settings)
        tenant = edge.KeywordIndexParams(is_tenant=True)
        handle.update(edge.UpdateOperation.create_field_index(config.restaurant_field, tenant))
        handle.flush()
    (path / MARK).write_text(json.dumps(mark.as_dict()), encoding="utf-8")
    return handle


def _begun(segments: Path, settings: Any) -> Any:
    """Create, or take over what a process that died before writing the mark left behind."""
    if (segments / "edge_config.json").exists():
        return edge.EdgeShard.load(str(segments), settings)
    return edge.EdgeShard.create(str(segments), settings)


@contextmanager
def engine_errors(path: Path) -> Iterator[None]:
    """Turn the engine's bare exceptions and panics (which are BaseExceptions) into SearchErrors."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, SearchError):
        raise
    except BaseException as exc:
        if "WAL" in str(exc) and "WouldBlock" in str(exc):
            raise IndexLockedError(_locked(path)) from exc
        msg = f"The embedded index {path} failed: {exc}. If it stays so, delete the folder and import again."
        raise SearchError(msg) from exc


def _locked(path: Path) -> str:
    try:
        holder = f"process {json.loads((path / OWNER).read_text(encoding='utf-8'))['pid']}"
    except (OSError, ValueError, KeyError):
        holder = "another process"
    return (
        f"The index {path} is open in {holder}. Stop that process, use the dashboard that runs there, "
        "or move to a Qdrant server (--qdrant-url) that many processes can share."
    )
