"""A run on a Python function: the documented example, through real processes."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import ROOT, Core

EXAMPLES = ROOT / "docs" / "examples"
ENDPOINT = (
    '[[endpoint]]\nname = "quotes"\nkind = "callable"\nfunction = "{}:generate"\nmodels = ["quotes"]\nlimit = 2\n'
)


def config(tmp_path: Path, module: str) -> Path:
    path = tmp_path / "brigade.toml"
    path.write_text(ENDPOINT.format(module) + "price_input = 1\nprice_output = 2\n")
    return path


def test_the_example_runs(core: Core, tmp_path: Path) -> None:
    """Every restaurant is summarised by the function, two calls at a time, with its own token counts and prices."""
    path = config(tmp_path, "quotes")
    ran = core("run", "--items", 5, "--llm-model", "quotes", "--config", path, "--json", PYTHONPATH=str(EXAMPLES))
    assert ran.code == 0, ran.err
    told = ran.json
    assert (told["status"], told["done"], told["calls"]["llm"]) == ("finished", 5, 20)
    assert 1 <= told["peak"]["llm"] <= 2
    tokens = told["tokens"]
    assert round(told["cost_usd"] * 1_000_000) == tokens["input"] + 2 * tokens["output"] > 0
    rows = core("export", "last", "--format", "jsonl").lines
    aspects = [row for row in rows if row["stage"] == "aspect_summary"]
    assert len(aspects) == 15
    assert all(row["model"] == "quotes" and row["evidence"] for row in aspects)
    assert any("The noodles tasted wonderful" in row["text"] for row in aspects)


def test_a_module_that_is_not_there_stops_the_start(core: Core, tmp_path: Path) -> None:
    """Before anything is run: the path and the way out, as wrong usage."""
    ended = core("run", "--items", 2, "--llm-model", "quotes", "--config", config(tmp_path, "quotations"), "--json")
    assert ended.code != 0
    assert "there is no module 'quotations'. Install it, or start where it lies" in ended.err
    assert "Traceback" not in ended.err


WORKLOAD = """
title = "One call per item"
[[stage]]
id = "only"
kind = "llm"
timeout_s = 0.2
attempts = 1
"""


def test_a_stuck_function_does_not_keep_the_process(core: Core, tmp_path: Path) -> None:
    """A call that never returns is given up in time, its item fails for it, and the process ends all the same."""
    (tmp_path / "stuck.py").write_text("import threading\ndef generate(messages):\n    threading.Event().wait()\n")
    (tmp_path / "one.toml").write_text(WORKLOAD)
    (tmp_path / "only.md").write_text("# System\nBe brief.\n\n# User\nAbout {{item}}.\n")
    stuck = ("--workload", "one", "--llm-model", "quotes", "--config", config(tmp_path, "stuck"))
    folders = {"PYTHONPATH": str(tmp_path), "BRIGADE_WORKLOADS": str(tmp_path)}
    ran = core("run", "--items", 1, *stuck, "--json", **folders)
    assert (ran.code, ran.json["failed"]) == (3, 1), ran.err
    assert "did not return within 0.2 s" in core("show", "last", **folders).out
