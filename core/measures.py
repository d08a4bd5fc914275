"""A run's figures as one object: what `run --json` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.base.views import RunView


def measures(run: RunView, counted: Mapping[str, Any]) -> dict[str, Any]:
    """The `run --json` object: counts from the run, calls and money from the ledger, the rest as its engine left it."""
    kept = run.measures
    wall = run.wall_s if run.ended_at is None else kept.get("wall_s", run.wall_s)
    peak, limits = kept.get("peak", {}), run.settings.get("limits", {})
    return {
        "run_id": run.id,
        "workload": run.workload,
        "status": run.status.value,
        "reason": run.reason,
        **{name: getattr(run, name) for name in ("selected", "done", "failed", "refused", "no_reviews", "pending")},
        "wall_s": round(wall, 3),
        "cpu_s": round(kept.get("cpu_s", 0.0), 3),
        "first_result_s": counted["first_result_s"],
        "median_result_s": counted["median_result_s"],
        "calls": counted["calls"],
        "retries": counted["retries"],
        "rate_limited": counted["rate_limited"],
        "fallbacks": kept.get("fallbacks", 0),
        "second_pass": kept.get("second_pass", 0),
        "cached": counted["cached"],
        "reused": counted["reused"],
        "tokens": counted["tokens"],
        "cost_usd": counted["cost_usd"],
        "time_saved_s": round(max(0.0, counted["service_s"] - wall), 3),
        "peak": {name: max(most, peak.get(name, 0)) for name, most in counted["peak"].items()},
        "limit": {"search": run.search_limit, "llm": run.llm_limit},
        "limit_mode": {name: limits.get(name, {}).get("mode", "fixed") for name in ("search", "llm")},
        "rss_mb": round(kept.get("rss_mb", 0.0), 1),
    }
