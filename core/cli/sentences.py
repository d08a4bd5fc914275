"""A run in words: how far it is, what held it back, how it ended and how to go on."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from typing import Any

from core.base.records import RunStatus
from core.base.views import ControlView, Forecast, GateSample, RunSnapshot, RunView
from core.cli.figures import money, plural, rate, seconds, share

CARRIED = ("db", "config", "llm_url", "llm_model", "qdrant_url", "collection")
WORTH_NAMING = 0.2


def progress(snapshot: RunSnapshot) -> str:
    """`12/40 done, 1 failed, 2.5/s, 11 s left | search 2/8, llm 16/16 +30 waiting | $0.02`."""
    run = snapshot.run
    counts = f"{run.done + run.no_reviews + run.refused}/{run.selected} done"
    failed = f", {run.failed} failed" if run.failed else ""
    left = "" if snapshot.eta_s is None else f", {seconds(snapshot.eta_s)} left"
    standing = run.reason if run.status is RunStatus.RUNNING else f"{run.status.value}: {run.reason}"
    state = standing and f"{standing} | "
    gates = ", ".join(gate(name, snapshot) for name in ("search", "llm"))
    return f"{state}{counts}{failed}, {rate(snapshot.items_per_s)}{left} | {gates} | {money(run.cost_usd)}"


def gate(name: str, snapshot: RunSnapshot) -> str:
    """`llm 16/16 +30 waiting`."""
    sample: GateSample | None = snapshot.gates.get(name)
    if sample is None:
        return f"{name} 0/{getattr(snapshot.run, f'{name}_limit')}"
    queue = f" +{sample.waiting} waiting" if sample.waiting else ""
    return f"{name} {sample.in_flight}/{sample.limit}{queue}"


def limits(run: RunView) -> str:
    """`search 8, llm 48 (auto)`."""
    kept = run.settings.get("limits", {})
    auto = {name: " (auto)" if kept.get(name, {}).get("mode") == "auto" else "" for name in ("search", "llm")}
    return f"search {run.search_limit}{auto['search']}, llm {run.llm_limit}{auto['llm']}"


def bottleneck(found: tuple[str, float, float] | None) -> str:
    """Which gate held the run back, as a sentence."""
    if found is None:
        return "It is too early to say what holds the run back."
    resource, full, other = found
    names = {"llm": ("model", "search"), "search": ("search", "model")}
    mine, theirs = names.get(resource, (resource, "other"))
    if full < WORTH_NAMING:
        return f"Neither gate held the run back: the {mine} gate was full {share(full)} of the time."
    return f"The {mine} gate was full {share(full)} of the time, the {theirs} gate {share(other)}."


def ending(run: RunView, figures: Mapping[str, Any]) -> str:
    """How a run ended, in one line."""
    counts = ", ".join(f"{getattr(run, n)} {n.replace('_', ' ')}" for n in COUNTS if getattr(run, n) or n == "done")
    calls = figures["calls"]
    return (
        f"run {run.id} {run.status.value}: {counts} of {run.selected} in {seconds(figures['wall_s'])}; "
        f"{plural(calls['search'], 'search', 'searches')}, {plural(calls['llm'], 'model call')}, "
        f"{money(figures['cost_usd'])}; {seconds(figures['time_saved_s'])} of waiting saved"
    )


COUNTS = ("done", "failed", "refused", "no_reviews", "pending")


def resume_line(args: argparse.Namespace, run_id: str) -> str:
    """The command that goes on with a run, with the connections of this one."""
    words = ["python", "-m", "core", "run", "--resume", run_id]
    for name in CARRIED:
        value = getattr(args, name, None)
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def forecast(told: Forecast) -> str:
    """What a run would do."""
    size = f"{plural(told.items, 'item')}: {plural(told.search_calls, 'search', 'searches')}, "
    return f"{size}{plural(told.llm_calls, 'model call')}; {_duration(told)}; {_cost(told)}"


def _duration(told: Forecast) -> str:
    if told.duration_s is None:
        return "duration unknown until this workload has run once"
    low, middle, high = told.duration_s
    return f"about {seconds(middle)} ({seconds(low)} to {seconds(high)})"


def _cost(told: Forecast) -> str:
    if told.cost_usd is None:
        return "cost unknown"
    low, middle, high = told.cost_usd
    return f"about {money(middle)} ({money(low)} to {money(high)})"


def outcome(sent: ControlView) -> str:
    """What came of a command."""
    was = f"{sent.old} -> " if sent.old and sent.action.endswith("_limit") else ""
    change = f"{sent.action} {was}{sent.new}".strip()
    if sent.applied_at is None:
        return f"{change}: not obeyed yet"
    if sent.outcome.startswith("refused"):
        return f"{change}: {sent.outcome}"
    return f"{change}: {sent.outcome or 'applied'} after {seconds(max(0.0, sent.applied_at - sent.at))}"
