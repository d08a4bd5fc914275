"""A sweep in words and as JSON: its estimate before, its frontier afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.cli.figures import moment, money, plural, seconds
from core.cli.output import print_json, print_table, print_text

if TYPE_CHECKING:
    from core.base.views import SweepEstimate, SweepPoint, SweepView
    from core.tuning.sweep import Frontier

WORDS = {"llm": ("model call", "model calls"), "search": ("search", "searches")}
BASES = {
    "sweep": "from an earlier sweep of this server and model",
    "history": "from earlier runs",
    "caps": "at most: no run has used this model yet, so caps are taken",
    "free": "searches cost nothing",
    "none": "nothing is known of this model yet",
}
COLUMNS = ("#limit", "#calls/s", "#tokens/s", "#+-", "#p50", "#p95", "#mean", "#in flight", "#samples", "#429", "#failed", "#cost/item")  # fmt: skip  # noqa: E501 - one table, one line
LIST = ("sweep", "when", "workload", "resource", "server", "model", "status", "#limits", "#knee", "#calls/s", "#p95")


def estimate(told: SweepEstimate, resource: str) -> str:
    """What a sweep would take, in one line."""
    limits = f"{plural(len(told.limits), 'limit')} ({', '.join(map(str, told.limits))})"
    size = f"{plural(told.calls, *WORDS[resource])} over about {plural(told.items_needed, 'item')}"
    tokens = "" if not told.tokens or told.tokens == (0, 0) else f", {sum(told.tokens):,} tokens"
    return f"{limits}: {size}{tokens}; {_cost(told)}; {_time(told)} ({BASES[told.basis]})"


def _cost(told: SweepEstimate) -> str:
    if told.cost_usd is None:
        return "cost unknown"
    most = told.cost_usd[1]
    simulated = ", simulated" if told.simulated and most else ""
    return f"{'up to ' if told.basis == 'caps' else 'about '}{money(most)}{simulated}" if most else "no cost"


def _time(told: SweepEstimate) -> str:
    if told.duration_s is None:
        return "duration unknown"
    return f"about {seconds(told.duration_s[0])}, at most {seconds(told.duration_s[1])}"


def scarcity(told: SweepEstimate, resource: str) -> str:
    """What too few items are enough for; '' where there are enough."""
    if told.items >= told.items_needed:
        return ""
    some = f"The {plural(told.items, 'item')} chosen are enough for {_reach(told)}."
    calls = f"{told.calls:,} {WORDS[resource][1]}"
    return f"{some} All {len(told.limits)} limits need about {told.items_needed:,} items ({calls})."


def _reach(told: SweepEstimate) -> str:
    if not told.reachable:
        return "none of the limits"
    return f"{len(told.reachable)} of {len(told.limits)} limits, up to {told.reachable[-1]}"


def verdict(found: Frontier, sweep: SweepView) -> str:
    """What follows from a sweep, in a sentence."""
    if found.knee is None:
        return "Nothing was measured."
    here = f"{found.at_knee:.3g}/s of {found.best:.3g}/s at best, p95 {seconds(found.p95_s)}"
    slo = seconds(sweep.slo_p95_s)
    verdict = "held" if found.verdict == "growing" and sweep.why else found.verdict
    return {
        "knee": f"The knee is {found.knee}: {here}.",
        "growing": f"The best limit measured is {found.knee}: {here}; it was still growing: sweep higher limits.",
        "slo": f"Within p95 <= {slo} the best limit is {found.knee}: {here}.",
        "unmet": f"No limit meets p95 <= {slo}; the lowest p95 is to be had at {found.knee}: {here}.",
        "held": f"The best limit that could be measured is {found.knee}: {here}; higher ones failed or stayed empty.",
    }[verdict]


def as_json(sweep: SweepView, found: Frontier) -> dict[str, Any]:
    """A sweep as one JSON object."""
    names = ("workload", "resource", "endpoint", "url", "server", "model", "limits", "slo_p95_s", "status", "reason", "outcome", "why", "cost_usd")  # fmt: skip  # noqa: E501 - one table, one line
    curve = found.curve
    return {
        "sweep_id": sweep.id,
        "run_id": sweep.id,
        "at": sweep.at,
        **{name: getattr(sweep, name) for name in names},
        "status": sweep.status.value,
        "knee": found.knee,
        "verdict": found.verdict,
        "best_calls_per_s": found.best,
        "knee_calls_per_s": found.at_knee,
        "knee_p95_s": found.p95_s,
        "curve": None if curve is None else {"base_s": curve.base_s, "slope_s": curve.slope_s, "top": curve.top},
        "points": found.points,
    }


def show(sweep: SweepView, found: Frontier) -> None:
    """The frontier as a table, and what follows."""
    what = f"{sweep.workload}, {WORDS[sweep.resource][1]} at {sweep.endpoint}"
    print_text(f"sweep {sweep.id} of {what} ({sweep.server}) {sweep.model}, {moment(sweep.at)}")
    print_table("", COLUMNS, [_row(p, found.knee) for p in found.points])
    print_text(verdict(found, sweep))


def _row(point: SweepPoint, knee: int | None) -> tuple[object, ...]:
    mark = "*" if point.limit == knee else ""
    rates = (f"{point.calls_per_s:.3g}", f"{point.tokens_per_s:,.0f}" if point.tokens else "-")
    times = (seconds(point.p50_s), seconds(point.p95_s), seconds(point.latency_s))
    counts = (f"{point.in_flight:.1f}", point.samples, point.rate_limited, point.failed)
    return (f"{mark}{point.limit}", *rates, f"{100 * point.error:.1f} %", *times, *counts, _item_cost(point))


def _item_cost(point: SweepPoint) -> str:
    return "-" if point.cost_item_usd is None else money(point.cost_item_usd)


def show_list(rows: list[tuple[SweepView, Frontier]]) -> None:
    """Sweeps one under the other, for comparing."""
    print_table("", LIST, [_line(*row) for row in rows])


def _line(sweep: SweepView, found: Frontier) -> tuple[object, ...]:
    head = (sweep.id, moment(sweep.at), sweep.workload, sweep.resource, f"{sweep.endpoint} ({sweep.server})")
    rate, p95 = ("-", "-") if found.knee is None else (f"{found.at_knee:.3g}", seconds(found.p95_s))
    return (*head, sweep.model, sweep.status.value, len(found.points), found.knee, rate, p95)


def print_all(rows: list[tuple[SweepView, Frontier]]) -> None:
    """The same as JSON."""
    print_json([as_json(*row) for row in rows])
