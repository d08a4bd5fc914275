"""The embedding processes: the same sentences as in this thread, a clear word when one dies, and none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core.base.endpoints import SearchConfig
from core.base.errors import BrigadeError, ConfigError, SearchError
from core.base.records import Review
from core.intake import ImportProgress, ImportReport, import_file
from core.intake.crew import Alone, Processes, hire
from core.store import Store
from tests.intake.conftest import Run
from tests.intake.files import indexed, jsonl, review

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes through /proc")
ROOT = Path(__file__).parents[2]
REVIEWS = [Review("r1", "Place", f"v{n}", f"Soup {n} was fine. 맛있어요 정말!", rating=4.0) for n in range(10)]


def _children() -> set[int]:
    """The processes that this one started and that still run."""
    text = "".join(_of_thread(path) for path in Path("/proc/self/task").glob("*/children"))
    return {int(pid) for pid in text.split() if _command(pid)}


def _of_thread(path: Path) -> str:
    """The children of one thread; none of one that has ended meanwhile."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _command(pid: str) -> bool:
    try:
        return "core.intake.worker" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def test_processes_prepare_as_this_thread_does(search: SearchConfig) -> None:
    """A process gives the same sentences, vectors, terms and payload as preparing in the thread."""
    crew, alone = hire(search, {}, 2), hire(search, {}, 0)
    try:
        assert isinstance(crew, Processes)
        assert isinstance(alone, Alone)
        assert crew.identity == alone.identity == ("hash", 256)
        there, here = crew.submit(REVIEWS).result(30), alone.submit(REVIEWS).result()
    finally:
        crew.close()
    assert len(there) == len(here) >= 20
    for one, other in zip(there, here, strict=True):
        assert (one.dense == other.dense).all()
        assert (one.restaurant_id, one.review_id, one.position, one.text) == (
            other.restaurant_id,
            other.review_id,
            other.position,
            other.text,
        )
        assert (one.terms, dict(one.payload)) == (other.terms, dict(other.payload))
    assert not _children()


def test_an_import_through_processes_indexes_everything(tmp_path: Path, run: Run, search: SearchConfig) -> None:
    """An import with two processes indexes what one without does, and leaves none of them."""
    seen: set[int] = set()

    def look(progress: ImportProgress) -> None:
        seen.update(_children())

    path = jsonl(tmp_path / "a.jsonl", [review(n) for n in range(1500)])
    report = run(path, workers=2, progress=look)
    assert (report.imported, report.sentences, report.stopped) == (1500, 3000, False)
    assert indexed(search) == 3000
    assert len(seen) == 2
    assert not _children()


def test_a_stopped_import_leaves_no_process(tmp_path: Path, run: Run) -> None:
    """A stop ends the processes at once, whatever they are doing."""
    stop = threading.Event()

    def look(progress: ImportProgress) -> None:
        stop.set()

    assert run(
        jsonl(tmp_path / "a.jsonl", [review(n) for n in range(3000)]), workers=2, stop=stop, progress=look
    ).stopped
    assert not _children()


def test_a_killed_process_is_a_clear_error_and_nothing_is_lost(tmp_path: Path, run: Run, search: SearchConfig) -> None:
    """When an embedding process is killed the import says so and ends; repeated, it indexes what is missing."""
    path = jsonl(tmp_path / "a.jsonl", [review(n) for n in range(3000)])

    def murder(progress: ImportProgress) -> None:
        for pid in _children():
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(SearchError, match=r"ended unexpectedly \(exit -9.*run the import again"):
        run(path, workers=2, progress=murder)
    assert not _children()
    report = run(path)
    assert report.imported + report.unchanged == 3000
    assert indexed(search) == 6000


def test_an_embedder_that_cannot_be_loaded_says_why(tmp_path: Path, store: Store) -> None:
    """What is wrong with the embedder is told in its own words, through a process as well."""
    search = SearchConfig(path=tmp_path / "index", embedder="none-such")
    path = jsonl(tmp_path / "a.jsonl", [review(1)])
    for workers in (0, 1):
        with pytest.raises(ConfigError, match="none-such"):
            import_file(path, store=store, search=search, env={}, workers=workers)
    assert not _children()


def test_a_second_process_cannot_be_started(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that cannot even be started is an error of ours."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(BrigadeError, match="start"):
        run(jsonl(tmp_path / "a.jsonl", [review(1)]), workers=1)


def test_it_works_in_a_thread(tmp_path: Path, store: Store, search: SearchConfig) -> None:
    """An import may run in any thread, as it does under the dashboard."""
    path = jsonl(tmp_path / "a.jsonl", [review(n) for n in range(100)])
    reports: list[ImportReport] = []
    thread = threading.Thread(
        target=lambda: reports.append(import_file(path, store=store, search=search, env={}, workers=1))
    )
    thread.start()
    thread.join()
    assert reports[0].imported == 100


SCRIPT = """
import sys
from pathlib import Path
from core.base.endpoints import SearchConfig
from core.intake import import_file
from core.store import Store
print("main", flush=True)
folder = Path(sys.argv[1])
with Store.open(folder / "b.db") as store:
    search = SearchConfig(path=folder / "index", embedder="hash")
    report = import_file(folder / "a.jsonl", store=store, env={}, search=search, workers=2,
                         progress=lambda progress: print(progress.indexed, flush=True))
"""


def _script(tmp_path: Path) -> list[str]:
    """A script without a `__main__` guard, in a folder that is not the project's."""
    jsonl(tmp_path / "a.jsonl", [review(n) for n in range(3000)])
    script = tmp_path / "script.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{SCRIPT}")
    return [sys.executable, str(script), str(tmp_path)]


def test_the_main_script_is_not_run_again(tmp_path: Path) -> None:
    """An unguarded main script, such as a dashboard page, is not imported by the embedding processes."""
    done = subprocess.run(_script(tmp_path), cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count("main") == 1
    assert done.stdout.split()[-1] == "3000"
    assert done.stderr == ""


def test_a_killed_import_leaves_no_process(tmp_path: Path) -> None:
    """When the importing process is killed its embedding processes end by themselves."""
    with subprocess.Popen(_script(tmp_path), cwd=tmp_path, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)]
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 2
        process.kill()
    for child in children:
        while _command(child):  # ends with the test's time limit if it does not hold
            time.sleep(0.02)


def test_ctrl_c_ends_all(tmp_path: Path) -> None:
    """Ctrl-C in the terminal ends the import and its processes, without a word from them."""
    with subprocess.Popen(
        _script(tmp_path), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert [process.stdout.readline() for _ in range(2)]
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGINT)
        complaint = process.stderr.read()
    assert complaint.count("Traceback") == 1
    assert complaint.rstrip().endswith("KeyboardInterrupt")
    assert not any(_command(child) for child in children)
