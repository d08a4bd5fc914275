"""An import can be stopped at any point and repeated: nothing is lost, nothing is done twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.base.endpoints import SearchConfig
from core.base.errors import RunError
from core.intake import ImportProgress, import_file
from core.store import Store
from tests.intake.conftest import Run
from tests.intake.files import indexed, jsonl, review

ROOT = Path(__file__).parents[2]
COUNT = 1300
SENTENCES = 2 * COUNT

DYING = """
import os, signal, sys
from pathlib import Path
from core.base.endpoints import SearchConfig
from core.intake import import_file
from core.intake.shelf import Shelf
from core.search.edge.index import EdgeIndex
from core.store import Store

countdown = int(sys.argv[2])

def deadly(inner):
    def call(*args):
        global countdown
        countdown -= 1
        if countdown == 0 and after == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = inner(*args)
        if countdown == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

after = sys.argv[3]
for owner, names in ((Shelf, ("put", "mark", "unmark")), (EdgeIndex, ("put", "drop_reviews"))):
    for name in names:
        setattr(owner, name, deadly(getattr(owner, name)))
folder = Path(sys.argv[1])
search = SearchConfig(path=folder / "index", embedder="hash")
with Store.open(folder / "brigade.db") as store:
    import_file(folder / "a.jsonl", store=store, search=search, env={}, workers=0)
"""


def _die(folder: Path, step: int, moment: str) -> None:
    """Import in a process that kills itself at the step-th durable boundary."""
    done = subprocess.run([sys.executable, "-c", DYING, folder, str(step), moment], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("step", "moment"), [(1, "after"), (2, "after"), (3, "before"), (5, "after"), (9, "before")])
def test_a_killed_import_is_completed_by_the_next(
    step: int, moment: str, tmp_path: Path, run: Run, search: SearchConfig, store: Store
) -> None:
    """Killed beside a write to catalogue or index, the repeated import leaves what an undisturbed one would."""
    path = jsonl(tmp_path / "a.jsonl", [review(n, restaurant=n % 3) for n in range(COUNT)])
    _die(tmp_path, step, moment)
    report = run(path)
    assert report.imported + report.unchanged == COUNT
    assert not report.stopped
    assert indexed(search) == SENTENCES
    assert not store.catalogue.unindexed("hash", 0, 10)


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_killed_change_leaves_no_old_sentences(step: int, tmp_path: Path, run: Run, search: SearchConfig) -> None:
    """Killed while texts change, the repeated import leaves the new texts' sentences and none of the old."""
    path = jsonl(tmp_path / "a.jsonl", [review(n) for n in range(30)])
    run(path)
    jsonl(path, [review(n, text=f"Only cake number {n}.") for n in range(30)])
    _die(tmp_path, step, "after")
    run(path)
    assert indexed(search) == 30


def test_stopped_while_reading(tmp_path: Path, run: Run, search: SearchConfig) -> None:
    """A stop while the file is read ends the import soon, says so, and a repeat completes it."""
    path = jsonl(tmp_path / "a.jsonl", [review(n) for n in range(COUNT)])
    stop = threading.Event()
    stop.set()
    report = run(path, stop=stop)
    assert report.stopped
    assert report.rows < COUNT
    again = run(path)
    assert again.imported + again.unchanged == COUNT
    assert indexed(search) == SENTENCES


def test_stopped_while_indexing(tmp_path: Path, run: Run, search: SearchConfig) -> None:
    """A stop while reviews are indexed keeps what is done; the repeat indexes exactly what is missing."""
    path = jsonl(tmp_path / "a.jsonl", [review(n) for n in range(COUNT)])
    stop = threading.Event()
    clock = _Tick()

    def look(progress: ImportProgress) -> None:
        if progress.phase == "indexing":
            stop.set()

    first = run(path, stop=stop, progress=look, clock=clock)
    assert first.stopped
    assert 0 < first.sentences < SENTENCES
    second = run(path)
    assert (second.unchanged, second.imported) == (COUNT, 0)
    assert first.sentences + second.sentences == SENTENCES == indexed(search)


class _Tick:
    """A clock that moves a second at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def wall(self) -> float:
        return self.monotonic()

    def monotonic(self) -> float:
        self.now += 1.0
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_ctrl_c_leaves_everything_usable(tmp_path: Path, run: Run, search: SearchConfig) -> None:
    """A KeyboardInterrupt in mid-import closes index and crew; the next import in the same process completes it."""
    path = jsonl(tmp_path / "a.jsonl", [review(n) for n in range(COUNT)])

    def interrupt(progress: ImportProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(path, progress=interrupt)
    assert not run(path).stopped
    assert indexed(search) == SENTENCES


def test_progress_grows_and_ends_complete(tmp_path: Path, run: Run) -> None:
    """Progress never goes back, passes from reading to indexing and ends with the whole file."""
    path = jsonl(tmp_path / "a.jsonl", [review(n) for n in range(COUNT)])
    seen: list[ImportProgress] = []
    report = run(path, progress=seen.append, clock=_Tick())
    assert [p.bytes_done for p in seen] == sorted(p.bytes_done for p in seen)
    assert [p.phase for p in seen] == sorted((p.phase for p in seen), reverse=True)
    assert seen[-1].bytes_done == seen[-1].bytes_total == path.stat().st_size
    assert (seen[-1].imported, seen[-1].indexed) == (report.imported, COUNT)


def test_two_imports_into_one_database_are_refused(tmp_path: Path, store: Store, search: SearchConfig) -> None:
    """A second import into the same database in the same process is refused while the first one runs."""
    path = jsonl(tmp_path / "a.jsonl", [review(1)])
    refused: list[str] = []

    def again(progress: ImportProgress) -> None:
        if progress.phase == "reading":
            with pytest.raises(RunError, match="running"):
                import_file(path, store=store, search=search, env={})
            refused.append(progress.phase)

    import_file(path, store=store, search=search, env={}, progress=again, clock=_Tick())
    assert refused
