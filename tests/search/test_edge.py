"""The embedded engine's own promises: one process at a time, shared inside it, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.base.endpoints import SearchConfig
from core.base.errors import IndexLockedError, IndexMismatchError, SearchError
from core.search import open_index, open_searcher, prepare
from core.search.edge import shard
from tests.search.conftest import HASH, Backend, asking, review

ROOT = Path(__file__).parents[2]
FRIENDLY = asking("service", ["friendly waiter"])

HOLD = """
import sys
from pathlib import Path
from core.base.endpoints import SearchConfig
from core.search import load_embedder, open_index
index = open_index(SearchConfig(path=Path(sys.argv[1]), embedder="hash"), load_embedder("hash", {}), {})
print("open", flush=True)
sys.stdin.readline()
"""

WRITE = """
import sys
from pathlib import Path
from core.base.endpoints import SearchConfig
from core.base.records import Review
from core.search import load_embedder, open_index, prepare
embedder = load_embedder("hash", {})
index = open_index(SearchConfig(path=Path(sys.argv[1]), embedder="hash"), embedder, {})
for number in range(100_000):
    index.put(prepare([Review("cafe", "", f"v{number}", f"Friendly waiter number {number}.")], embedder))
    print(number, flush=True)
    if number % 40 == 39:
        index.flush()
"""


def child(code: str, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_a_second_process_is_told_who_has_it(edge: Backend) -> None:
    """While another process has the index open, opening says which one and how to go on; afterwards it works."""
    with child(HOLD, edge.config.path) as other:
        assert other.stdout
        assert other.stdout.readline() == "open\n"
        with pytest.raises(IndexLockedError, match=rf"process {other.pid}\. .*--qdrant-url"):
            edge.index(HASH)
        with pytest.raises(IndexLockedError):
            edge.search("cafe", FRIENDLY)
        other.communicate("\n")
    edge.filled(review("cafe", 1, "Friendly waiter.")).close()


def test_kill_loses_nothing_acknowledged(edge: Backend) -> None:
    """After kill -9 in the middle of writing, every sentence that `put` returned from is there and can be searched."""
    with child(WRITE, edge.config.path) as writer:
        assert writer.stdout
        acknowledged = [int(writer.stdout.readline()) for _ in range(150)][-1] + 1
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged = max([acknowledged, *(int(line) + 1 for line in writer.stdout if line.endswith("\n"))])
    index = edge.index(HASH)
    assert acknowledged <= index.count() <= acknowledged + 1
    index.close()
    [found] = edge.search("cafe", FRIENDLY)
    assert len(found) == FRIENDLY.limit


def test_writing_and_searching_share_the_handle(edge: Backend) -> None:
    """In one process the index may be written and searched at once; the shard closes with the last of them."""
    index = edge.filled(review("cafe", 1, "Friendly waiter."))

    async def meanwhile() -> None:
        searcher = open_searcher(edge.config, {}, index=index)
        assert len((await searcher.search("cafe", [FRIENDLY]))[0]) == 1
        index.put(prepare([review("cafe", 2, "Another friendly waiter.")], HASH))
        assert len((await searcher.search("cafe", [FRIENDLY]))[0]) == 2
        index.close()
        index.close()
        assert len((await searcher.search("cafe", [FRIENDLY]))[0]) == 2
        assert shard._open
        await searcher.aclose()

    asyncio.run(meanwhile())
    assert not shard._open


def test_reopening_keeps_everything(edge: Backend) -> None:
    """What was written is there after closing, and the folder says whose vectors it holds."""
    edge.filled(review("cafe", 1, "Friendly waiter. Cold soup.")).close()
    assert json.loads((edge.config.path / shard.MARK).read_text())["embedder"] == "hash"
    index = edge.index(HASH)
    assert index.count() == 2
    index.close()


def test_a_creation_cut_short_is_begun_again(edge: Backend) -> None:
    """A process that died while it made the index leaves nothing that stops the next one."""
    edge.index(HASH).close()
    (edge.config.path / shard.MARK).unlink()
    index = edge.filled(review("cafe", 1, "Friendly waiter."))
    assert index.count() == 1
    index.close()


def test_broken_files_say_what_to_do(edge: Backend) -> None:
    """An unreadable mark or missing segments are SearchErrors with the way out, not bare exceptions."""
    edge.index(HASH).close()
    (edge.config.path / shard.MARK).write_text("{")
    with pytest.raises(IndexMismatchError, match="import again"):
        edge.index(HASH)
    with pytest.raises(SearchError, match="cannot be made"):
        open_index(SearchConfig(path=Path("/proc/nothing/index"), embedder="hash"), HASH, {})


def test_panics_become_search_errors() -> None:
    """The engine's panics are BaseExceptions; only cancellation and exits pass through as they are."""

    class PanicException(BaseException):
        pass

    with pytest.raises(SearchError, match="import again"), shard.engine_errors(Path("x")):
        raise PanicException
    with pytest.raises(KeyboardInterrupt), shard.engine_errors(Path("x")):
        raise KeyboardInterrupt
