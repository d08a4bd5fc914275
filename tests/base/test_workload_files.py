"""Workload files that are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.base.errors import UnknownError, WorkloadError
from core.base.workload_files import find_workload, list_workloads, load_workload
from tests.base.writing import ASPECTS, PROMPTS, write


def test_a_file_becomes_a_workload(tmp_path: Path) -> None:
    """The id is the file's stem, stages get their prompts, and parts their queries."""
    workload = load_workload(write(tmp_path))
    assert (workload.id, workload.title, workload.item_kind) == ("reviews", "Reviews", "restaurant")
    assert [stage.id for stage in workload.stages] == ["search", "summary", "total"]
    assert workload.prompts["summary"].system == "Write {{language}}."
    assert workload.prompts["total"].system == ""
    query = workload.parts["aspect"].values[0].query
    assert query is not None
    assert (query.part, query.phrasings) == ("service", ("how is the service?",))


def test_everything_a_part_may_say_is_kept(tmp_path: Path) -> None:
    """query and phrasings are joined without repeats; contrast, keywords, cutoff, limit and keep reach the query."""
    more = 'phrasings = ["slow waiter", "how is the service?"]\ncontrast = ["tasty"]\nkeywords = ["staff"]\n'
    more += 'cutoff = 0.25\nlimit = 5\nkeep = 3\ntitle = "Service"\ntitle_ko = "서비스"\nfields = { a = 1 }\n'
    toml = ASPECTS.replace('query = "how is the service?"\n', 'query = "how is the service?"\n' + more)
    part = load_workload(write(tmp_path, toml)).parts["aspect"].values[0]
    assert (part.title, part.title_ko, part.fields) == ("Service", "서비스", {"a": 1})
    assert part.query is not None
    assert part.query.phrasings == ("how is the service?", "slow waiter")
    assert (part.query.contrast, part.query.keywords) == (("tasty",), ("staff",))
    assert (part.query.cutoff, part.query.limit, part.query.keep) == (0.25, 5, 3)


def test_everything_a_stage_may_say_is_kept(tmp_path: Path) -> None:
    """Model, fallback, tokens, temperature, timeout, attempts and skip_empty are the file's, the rest defaults."""
    more = 'model = "big"\nfallback = ["small", "extractive"]\nmax_tokens = 99\ntemperature = 0.5\ntimeout_s = 9\n'
    more += 'attempts = 1\nskip_empty = false\ntitle_ko = "종합"\n'
    stage = load_workload(write(tmp_path, ASPECTS + more)).stage("total")
    assert (stage.model, stage.fallback, stage.max_tokens) == ("big", ("small", "extractive"), 99)
    assert (stage.temperature, stage.timeout_s, stage.attempts, stage.skip_empty) == (0.5, 9.0, 1, False)
    assert (stage.title, stage.title_ko, stage.prompt) == ("Total", "종합", "total")


def test_a_stage_may_set_the_deadlines_of_a_stream(tmp_path: Path) -> None:
    """first_byte_s and idle_s are seconds of a model stage; without them nothing is set."""
    plain, written = (
        load_workload(write(tmp_path, ASPECTS + more)) for more in ("", "first_byte_s = 8\nidle_s = 2.5\n")
    )
    assert (plain.stage("total").first_byte_s, plain.stage("total").idle_s) == (None, None)
    assert (written.stage("total").first_byte_s, written.stage("total").idle_s) == (8.0, 2.5)
    with pytest.raises(WorkloadError, match=r"idle_s = 0: must be a number from 0\.1 to 3600"):
        load_workload(write(tmp_path, ASPECTS + "idle_s = 0\n"))
    with pytest.raises(WorkloadError, match="first_byte_s is for llm stages"):
        load_workload(write(tmp_path, ASPECTS.replace('kind = "search"\n', 'kind = "search"\nfirst_byte_s = 8\n')))


def test_stages_are_ordered_by_what_they_need(tmp_path: Path) -> None:
    """Stages written in any order stand in topological order."""
    head, *stages = ASPECTS.split("[[stage]]")
    toml = head + "".join(f"[[stage]]{stage}" for stage in reversed(stages))
    assert [stage.id for stage in load_workload(write(tmp_path, toml)).stages] == ["search", "summary", "total"]


def test_a_search_asks_for_all_parts_unless_told_otherwise(tmp_path: Path) -> None:
    """batch_size 0 stands for what the kind does by itself; a written one is kept."""
    assert load_workload(write(tmp_path)).stage("search").batch_size == 0
    toml = ASPECTS.replace('kind = "search"\n', 'kind = "search"\nbatch_size = 1\n')
    assert load_workload(write(tmp_path, toml)).stage("search").batch_size == 1


def test_a_prompt_may_stand_beside_the_workload(tmp_path: Path) -> None:
    """A prompt is looked for in ../prompts, then in the workload's own folder."""
    path = write(tmp_path, prompts={"summary": PROMPTS["summary"]})
    (path.parent / "total.md").write_text("Beside: {{results}}", encoding="utf-8")
    assert load_workload(path).prompts["total"].user == "Beside: {{results}}"


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """The sample file is found from the workload's folder, wherever the process runs."""
    (tmp_path / "items.jsonl").write_text("{}\n", encoding="utf-8")
    path = write(tmp_path, 'sample = "../items.jsonl"\n' + ASPECTS)
    sample = load_workload(path).sample
    assert sample is not None
    assert sample.read_text(encoding="utf-8") == "{}\n"


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    """A file saved by an editor of another system is the same workload."""
    path = write(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_workload(path).title == "Reviews"


def test_files_are_found_by_name_or_path(tmp_path: Path) -> None:
    """A workload is found by its id in the folder, or by any path to a TOML file."""
    path = write(tmp_path)
    write(tmp_path, name="another")
    assert list(list_workloads(path.parent)) == ["another", "reviews"]
    assert find_workload("reviews", path.parent).id == "reviews"
    assert find_workload(str(path), tmp_path).id == "reviews"


@pytest.mark.parametrize(
    ("name", "says"), [("revews", "did you mean 'reviews'?"), ("zzz", "known are another, reviews.")]
)
def test_an_unknown_workload_lists_the_known(tmp_path: Path, name: str, says: str) -> None:
    """A name that is no workload is answered with the nearest one, or with all there are."""
    folder = write(tmp_path).parent
    write(tmp_path, name="another")
    with pytest.raises(UnknownError) as caught:
        find_workload(name, folder)
    assert f"{name!r}" in str(caught.value)
    assert says in str(caught.value)


def test_a_folder_that_is_not_there_holds_no_workloads(tmp_path: Path) -> None:
    """Listing a missing folder is empty; asking it for a workload says so."""
    assert list_workloads(tmp_path / "none") == {}
    with pytest.raises(UnknownError, match="nothing is known here"):
        find_workload("reviews", tmp_path / "none")
