"""Arguments: what is refused, with which words, and how light it all is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core.cli.main import main, parser
from tests.cli.conftest import ROOT, environment

COMMANDS = ("import", "run", "search", "control", "show", "runs", "export", "practice", "serve", "doctor")
HEAVY = ("streamlit", "pandas", "plotly", "pyarrow", "numpy", "qdrant_edge", "aiohttp", "sqlite_utils", "rich")


def refused(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """What is said of a line that is not accepted; it must be short and name the help."""
    with pytest.raises(SystemExit) as left:
        main(args)
    told = capsys.readouterr()
    assert left.value.code == 2
    assert told.out == ""
    assert told.err.startswith("brigade: ")
    assert "--help" in told.err
    return told.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("run --llm-limit 0", "'0' is not a whole number of at least 1"),
        ("run --llm-limit -1", "'-1' is not a whole number"),
        ("run --llm-limit abc", "'abc' is not a whole number"),
        ("run --search-limit 1.5", "'1.5' is not a whole number"),
        ("run --llm-limit automatic", "'automatic' is not a whole number of at least 1, nor auto"),
        ("control last --llm-limit 0", "'0' is not a whole number of at least 1, nor auto"),
        ("run --slo-p95 soon", "'soon' is not a latency target in seconds"),
        ("run --slo-p95 -2", "'-2' is not a latency target"),
        ("run --llm-max 0", "'0' is not a whole number of at least 1"),
        ("run --budget much", "'much' is not an amount in US dollars"),
        ("run --budget -1", "'-1' is not an amount"),
        ("run --model advice", "'advice' is not STAGE=NAME"),
        ("export last --format parquet", "parquet is not available yet; use jsonl or csv"),
        ("export last --format html", "html is not available yet"),
        ("export last --format xml", "there is no format 'xml'"),
        ("control last --pause --resume", "not allowed with"),
        ("practice --port 70000", "'70000' is not a port"),
        ("run --lim 3", "unrecognized arguments"),
        ("cook", "invalid choice: 'cook'"),
        ("", "COMMAND"),
    ],
)
def test_a_wrong_line_is_refused_with_the_value(capsys: pytest.CaptureFixture[str], args: str, words: str) -> None:
    """The message names the value and the way out; the code is 2 and stdout stays empty."""
    assert words in refused(capsys, *args.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """`--help` names the shared options and shows at least one example."""
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    told = capsys.readouterr().out
    assert left.value.code == 0
    assert "examples:\n  python -m core" in told
    for option in ("--db", "--config", "--quiet"):
        assert option in told


@pytest.mark.parametrize("place", ["before", "after"])
def test_shared_options_stand_before_or_after_the_command(place: str) -> None:
    """`--db` is understood on both sides of the command's name."""
    db = ["--db", "x.db"]
    args = parser().parse_args([*db, "runs"] if place == "before" else ["runs", *db])
    assert str(args.db) == "x.db"


def test_help_is_light() -> None:
    """The whole parser is there without streamlit, pandas, plotly or any other heavy import, within 0.3 s of CPU."""
    code = (
        "import sys, time; from core.cli.main import parser; parser().format_help(); "
        "print(time.process_time(), *{m.partition('.')[0] for m in sys.modules})"
    )
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True).stdout
    seconds, *modules = told.split()
    assert not set(HEAVY) & set(modules)
    assert float(seconds) < 0.3
