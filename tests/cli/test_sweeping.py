"""`sweep` and `sweeps` as processes: JSON on stdout, the estimate first, nothing sent without a yes, exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Core, reviews

PLACES = 60


@pytest.fixture
def core(tmp_path: Path) -> Core:
    made = Core(tmp_path / "b.db")
    imported = made("import", reviews(tmp_path / "reviews.jsonl", PLACES))
    assert imported.code == 0, imported.err
    return made


def test_a_sweep_prints_its_frontier_and_is_listed_afterwards(core: Core) -> None:
    """One JSON object with the points, the curve and the knee; the same from `sweeps`."""
    ended = core("sweep", "--items", "all", "--limits", "4,8", "--preset", "fixed", "--json")
    assert ended.code == 0, ended.err
    told = ended.json
    assert [p["limit"] for p in told["points"]] == [4, 8]
    assert told["knee"] in range(4, 9)
    assert {"curve", "verdict", "best_calls_per_s", "slo_p95_s", "sweep_id", "run_id", "server"} <= told.keys()
    assert (told["server"], told["status"], told["outcome"]) == ("practice fixed", "finished", "finished")
    assert "This sweep: 2 limits (4, 8)" in ended.err
    listed = core("sweeps", "--json")
    assert [s["sweep_id"] for s in listed.json] == [told["sweep_id"]]
    assert core("sweeps", "last", "--json").json[0]["points"] == told["points"]
    table = core("sweeps", "last")
    assert "limit" in table.out
    assert "/s at best" in table.out


def test_a_dry_run_tells_and_sends_nothing(core: Core) -> None:
    """The estimate as JSON; no sweep is written."""
    told = core("sweep", "--items", "20", "--limits", "2,64", "--dry-run", "--json")
    assert told.code == 0, told.err
    assert told.json["reachable"] == [2]
    assert told.json["items"] == 20
    assert told.json["items_needed"] > 20
    assert core("sweeps", "--json").json == []


def test_money_is_not_spent_unasked(core: Core) -> None:
    """Where nobody can be asked, --yes is needed: nothing has been sent to the (unreachable) server."""
    refused = core("sweep", "--items", "all", "--limits", "2", "--llm-url", "http://127.0.0.1:9/v1")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert core("sweeps", "--json").json == []


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("--limits", "1,x"), 2, "'x' is not a limit"),
        (("--slo-p95", "0"), 2, "not a number of seconds above 0"),
        (("--preset", "nope"), 2, "There is no practice preset 'nope'"),
        (("--endpoint", "nope"), 2, "There is no endpoint 'nope'"),
        (("--limits", "8", "--items", "2", "--preset", "zero"), 1, "too few"),
        (("--limits", "2", "--preset", "zero", "--budget", "0.000001"), 1, "the budget is"),
    ],
)
def test_what_cannot_be_swept_is_said_with_its_exit_code(
    core: Core, words: tuple[str, ...], code: int, why: str
) -> None:
    ended = core("sweep", *words)
    assert ended.code == code, ended.err
    assert why in ended.err
    assert ended.out == ""
