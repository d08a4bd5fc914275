"""What is printed: numbers, sentences, tables, and nothing that could steer a terminal."""

from __future__ import annotations

import argparse
import io
import json
import sys
from decimal import Decimal

import pytest

from core.base.records import RunStatus
from core.base.views import ControlView, Forecast, RunView
from core.cli import codes, figures, output, progress, sentences


def run_view(status: RunStatus, **fields: object) -> RunView:
    return RunView("r1", "restaurant-reviews", status, "", 0.0, None, None, {}, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (run_view(RunStatus.FINISHED), 0),
        (run_view(RunStatus.FINISHED, failed=1), 3),
        (run_view(RunStatus.BUDGET), 4),
        (run_view(RunStatus.INTERRUPTED), 130),
        (run_view(RunStatus.CANCELLED), 130),
        (run_view(RunStatus.PAUSED), 1),
        (run_view(RunStatus.CRASHED), 1),
    ],
)
def test_exit_codes(run: RunView, code: int) -> None:
    """Every end of a run has its code."""
    assert codes.of_run(run) == code


def test_figures() -> None:
    """Durations, money and rates read well at every size; no price is never zero."""
    assert [figures.seconds(s) for s in (None, 0.012, 3.44, 250, 7500)] == [
        "-", "12 ms", "3.4 s", "4 min 10 s", "2 h 05 min",
    ]  # fmt: skip
    assert [figures.money(m) for m in (None, Decimal(0), Decimal("0.00123"), 12.5)] == [
        "unpriced", "$0.00", "$0.0012", "$12.50",
    ]  # fmt: skip
    assert [figures.rate(r) for r in (0.0, 0.5, 2.0)] == ["0.0/s", "30.0/min", "2.0/s"]
    assert figures.plural(1, "search", "searches") + figures.plural(1200, "item") == "1 search1,200 items"


def test_bottleneck_sentences() -> None:
    """The fuller gate is named with its share; neither where none was full, and nothing too early."""
    assert sentences.bottleneck(("llm", 0.94, 0.06)) == "The model gate was full 94 % of the time, the search gate 6 %."
    assert "Neither" in sentences.bottleneck(("search", 0.1, 0.0))
    assert "too early" in sentences.bottleneck(None)


def test_the_resume_line_carries_the_connections() -> None:
    """What this start was given is given again, quoted for a shell."""
    args = argparse.Namespace(db="my data/b.db", config=None, llm_url="http://h/v1", llm_model=None)
    line = sentences.resume_line(args, "r1")
    assert line == "python -m core run --resume r1 --db 'my data/b.db' --llm-url http://h/v1"


def test_a_forecast_without_history_says_so() -> None:
    """Unknown durations and costs are told as unknown."""
    told = sentences.forecast(Forecast(3, 9, 12, None, None, "none"))
    assert (
        told == "3 items: 9 searches, 12 model calls; duration unknown until this workload has run once; cost unknown"
    )


def test_a_command_that_was_obeyed_says_how_fast() -> None:
    """The time between sending and obeying is told; a command that waits is told as such."""
    sent = ControlView(1, "r", 10.0, "me", "llm_limit", "2", "9", "", 10.12, "applied")
    assert sentences.outcome(sent) == "llm_limit 2 -> 9: applied after 120 ms"
    waiting = ControlView(1, "r", 10.0, "me", "pause", "running", "", "", None)
    assert sentences.outcome(waiting) == "pause: not obeyed yet"
    refused = ControlView(1, "r", 10.0, "me", "model", "running", "x=y", "", 10.1, "refused: no stage 'x'")
    assert sentences.outcome(refused) == "model x=y: refused: no stage 'x'"


def test_nothing_steers_the_terminal() -> None:
    """Escape sequences, cursor moves and bidirectional overrides become spaces; Korean and emoji stay."""
    hostile = "\x1b[2J\x9b1;31mred\r\x08\u202egnp.exe 맛있어요 👨‍👩‍👧\n"
    shown = output.harmless(hostile)
    assert not set(shown) & set("\x1b\x9b\r\x08\u202e\n")
    assert "맛있어요 👨‍👩‍👧" in shown


def test_tables_print_foreign_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets are no markup and an escape is no colour."""
    output.print_table("T", ("name", "#n"), [("[bold]x[/bold] \x1b[31m", 3), (None, None)])
    told = capsys.readouterr().out
    assert "[bold]x[/bold]" in told
    assert "\x1b" not in told


def test_json_knows_money_and_records(capsys: pytest.CaptureFixture[str]) -> None:
    """Decimals become numbers, frozen records objects, unpriced null."""
    output.print_json({"usd": Decimal("1.25"), "none": None, "forecast": Forecast(1, 2, 3, None, None, "none")})
    told = json.loads(capsys.readouterr().out)
    assert told["usd"] == 1.25
    assert told["none"] is None
    assert told["forecast"]["llm_calls"] == 3


def test_progress_is_a_line_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal a line comes at most every ten seconds; a remark always."""
    now = [100.0]
    told = io.StringIO()
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys, "stderr", told)
    meter = progress.meter(argparse.Namespace(quiet=None, no_progress=False), "running")
    for second in range(25):
        now[0] = 100.0 + second
        meter.tell(second, 100, f"at {second}")
    meter.say("remark")
    assert told.getvalue().splitlines() == ["running 10% at 10", "running 20% at 20", "remark"]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """`--quiet` leaves stderr to errors."""
    meter = progress.meter(argparse.Namespace(quiet=True), "running")
    meter.tell(1, 2, "x")
    meter.say("y")
    meter.close()
    assert capsys.readouterr().err == ""
