"""`forecast` and the sample of `run --dry-run`: what is printed, as what JSON, with which exit code."""

from __future__ import annotations

import argparse
import time

import pytest

from core.cli.forecasting import clock_time, days, items, span
from tests.cli.conftest import Core


@pytest.fixture
def ran(core: Core) -> Core:
    """A database with one finished run."""
    ended = core("run", "--items", "all", "--llm-limit", "2", "--no-progress", "--quiet")
    assert ended.code == 0, ended.err
    return core


def test_a_forecast_of_any_number_of_items(ran: Core) -> None:
    """More items than the catalogue has are forecast from the earlier run, in words and as JSON."""
    told = ran("forecast", "--items", "1e4", "--llm-limit", "2", "--json").json
    assert (told["items"], told["llm_calls"]) == (10_000, 40_000)
    assert told["duration_s"][0] <= told["duration_s"][1] <= told["duration_s"][2]
    ended = ran("forecast", "--items", "500", "--llm-limit", "2")
    assert ended.out.startswith("500 items: 1,500 searches, 2,000 model calls; about ")
    assert "were simulated" in ended.err


def test_a_wish_is_answered_with_settings_or_with_what_it_would_take(ran: Core) -> None:
    """Within a day all is possible (exit 0); within a moment nothing is (exit 1), and it is said what would be."""
    fine = ran("forecast", "--items", "100", "--within", "1d", "--budget", "50")
    assert (fine.code, "ways to do it" in fine.out) == (0, True)
    never = ran("forecast", "--items", "100000", "--within", "0.001s", "--json")
    assert never.code == 1
    assert never.json["feasible"] is False
    assert "more_time" in {need["key"] for need in never.json["needs"]}
    assert "Not possible" in ran("forecast", "--items", "100000", "--within", "0.001s").out


def test_servers_for_days_and_days_for_servers(ran: Core) -> None:
    """Ten million restaurants on four servers, and in one day; dollars by the hour where an hour has a price."""
    four = ran("forecast", "--items", "1e7", "--gpus", "4", "--gpu-hour", "2.50", "--json").json
    assert (four["gpus"], four["items"], four["cost_basis"]) == (4, 10_000_000, "gpu_hours")
    told = ran("forecast", "--items", "1e7", "--days", "1")
    assert told.out.startswith("10,000,000 items: ")


def test_show_says_what_held_the_run_back_and_what_was_saved(ran: Core) -> None:
    """The attribution, the time saved with its spread and the effects of changes go with `show --json`."""
    shown = ran("show", "last", "--json").json
    assert shown["attribution"]["key"] in ("gate_full", "unconstrained", "cpu_bound")
    assert shown["time_saved"]["saved_s"][0] <= shown["time_saved"]["saved_s"][2]
    assert (shown["effects"], shown["followed"]) == ([], [])


def test_a_sample_is_run_and_told_from(core: Core) -> None:
    """`run --dry-run --sample 3` runs three restaurants and tells what twelve would take."""
    ended = core("run", "--items", "all", "--llm-limit", "2", "--dry-run", "--sample", "3", "--json")
    assert ended.code == 0, ended.err
    assert (ended.json["basis"], ended.json["items"]) == ("sample", 12)
    assert [run["selected"] for run in core("runs", "--json").json] == [3]


def test_without_a_run_nothing_is_made_up(core: Core) -> None:
    """No history: the calls are told, the time is not, a wish and a scale end with exit code 1."""
    assert core("forecast", "--json").json["basis"] == "none"
    assert core("forecast", "--within", "1h").code == 1
    assert core("forecast", "--items", "1e7", "--gpus", "1").code == 1


def test_one_thing_at_a_time(core: Core) -> None:
    """A deadline with a number of servers, both deadlines, or a sample without a dry run are usage errors."""
    for wrong in (["forecast", "--gpus", "1", "--within", "1h"], ["forecast", "--by", "17:00", "--within", "1h"]):
        assert core(*wrong).code == 2
    assert core("run", "--sample", "3").code == 2


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("45m", 2700.0), ("45 min", 2700.0), ("1.5h", 5400.0), ("2d", 172_800.0)]
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    """Seconds, minutes, hours, days."""
    assert span(text) == seconds


@pytest.mark.parametrize("wrong", ["", "2", "h", "-1h", "0s", "1w"])
def test_what_is_no_length_of_time_is_refused(wrong: str) -> None:
    """The message shows what one looks like."""
    with pytest.raises(argparse.ArgumentTypeError, match="90s"):
        span(wrong)


def test_a_time_of_day_is_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """At half past four, five o'clock is in half an hour and four o'clock tomorrow."""
    now = time.struct_time((2026, 1, 5, 16, 30, 0, 0, 5, 0))
    monkeypatch.setattr(time, "localtime", lambda: now)
    assert clock_time("17:00") == 1800
    assert clock_time("16:00") == 23.5 * 3600
    with pytest.raises(argparse.ArgumentTypeError, match="17:00"):
        clock_time("25:00")


def test_numbers_of_items_and_selections() -> None:
    """`1e7` and `500` are numbers, `all`, ids and files are selections; days are above 0."""
    assert (items("1e7"), items("500"), items("2.5e3")) == (10_000_000, 500, 2500)
    assert (items("all"), items("r1,r2"), items("@ids.txt")) == ("all", "r1,r2", "@ids.txt")
    assert days("14") == 14.0
    with pytest.raises(argparse.ArgumentTypeError):
        days("0")
