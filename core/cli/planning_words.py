"""Forecasts, plans, attributions and effects in English, as a terminal shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.base.tuning_views import (
    Attribution,
    ChangeEffect,
    Followed,
    ForecastError,
    Option,
    Plan,
    Scale,
    Suggestion,
    TimeSaved,
)
from core.base.views import Caveat
from core.cli.figures import money, plural, seconds, share

CAVEATS = {
    "no_history": "{stages} never ran{with_models}: run a few items first, or ask for a sample with "
    "`run --dry-run --sample 5`",
    "one_level": "{endpoint}: measured at {measured} calls in flight only, this has {wanted}: the range is wide",
    "beyond_measured": "{endpoint}: {wanted} calls in flight are more than were ever measured ({measured})",
    "few_requests": "{stage}: only {requests} requests were measured",
    "borrowed_endpoint": "{endpoint} was never measured: taken to be as fast as {of}",
    "unpriced": "no price is known for {stages}",
    "steady_state": "{simulated} of {items} items were simulated; the rest follows from their steady rate",
    "auto_limit": "the limit will be found while running; told for {limit}",
    "sampled": "from a run over {items} items made for it ({run_id}, {cost})",
    "whole_sets": "the stages use {set} different servers: {gpus} are not a whole number of sets",
    "more_time": "more time: {duration_s}",
    "more_budget": "a budget of {cost_usd}",
    "fewer_items": "no more than {items} items",
    "more_endpoints": "{copies} times the servers",
}
SUGGESTIONS = {
    "raise_limit": "raise the {resource} limit: {old} -> {new} should give about {gain}",
    "lower_limit": "lower the {resource} limit: {old} -> {new} is as fast",
    "saturated": "the servers are at their most ({name}): more than {limit} in flight brings nothing ({gain}); add one",
    "raise_seats": "raise the limit of {name}: {old} -> {new} should give about {gain}",
    "raise_stage": "raise the stage's own most ({name}): {old} -> {new} should give about {gain}",
    "raise_rate": "ask for a higher quota at {name}: without it about {gain}",
    "add_endpoint": "add an endpoint like {name}: about {gain}",
    "wait_for_endpoint": "bring {name} back: about {gain}",
    "more_processes": "this program's loop is the limit: share the items among several processes",
    "faster_disk": "put the database on a faster disk: about {gain}",
    "longer_run": "nothing held it back for long: a longer run or a wider window would use the limits better",
}
HELD_BACK = {
    "gate_full": "{what} was full and calls waited for it {share} of the time.",
    "rate_bound": "Calls waited for the quota of {name} {share} of the time.",
    "cooling": "Calls waited after rejections by {name} {share} of the time.",
    "outage": "No endpoint answered ({name}) {share} of the time.",
    "cpu_bound": "This program's own loop was busy {share} of the time: it was the limit.",
    "disk_bound": "Calls waited for the ledger's disk {share} of the time.",
    "unconstrained": "Nothing held the run back for long.",
    "not_measured": "What held this run back was not measured.",
}
GATES = {"llm": "The model gate", "search": "The search gate", "stage": "The gate of stage {name}"}


def caveat(told: Caveat) -> str:
    """A caveat or a need as a sentence."""
    return CAVEATS.get(told.key, told.key).format_map(_words(told.values))


def _words(values: Mapping[str, Any]) -> dict[str, Any]:
    words = {name: ", ".join(value) if isinstance(value, list | tuple) else value for name, value in values.items()}
    models = values.get("models")
    words["with_models"] = f" with {', '.join(models)}" if models else ""
    if "duration_s" in values:
        words["duration_s"] = seconds(values["duration_s"])
    for name in ("cost_usd", "cost"):
        if name in values:
            words[name] = money(values[name])
    return words


def option(found: Option) -> tuple[object, ...]:
    """An option as a row: limits, models, duration, cost, whether it is sure."""
    told = found.forecast
    duration = seconds(told.duration_s[1]) if told.duration_s else "-"
    latest = seconds(told.duration_s[2]) if told.duration_s else "-"
    cost = money(told.cost_usd[1]) if told.cost_usd else "-"
    most = money(told.cost_usd[2]) if told.cost_usd else "-"
    sure = found.sure_deadline is not False and found.sure_budget is not False
    models = ", ".join(f"{stage}={model}" for stage, model in found.models.items() if model)
    return found.llm_limit, found.search_limit, models, duration, latest, cost, most, "sure" if sure else "likely"


def plan(told: Plan) -> str:
    """The plan in a sentence."""
    if told.options:
        return f"{plural(len(told.options), 'way')} to do it; the best: {_option_text(told.options[0])}"
    if told.best is None:
        return "Nothing can be told: " + "; ".join(caveat(need) for need in told.needs)
    needs = "; or ".join(caveat(need) for need in told.needs)
    return f"Not possible. The best that can be had: {_option_text(told.best)}. It would take {needs}."


def _option_text(found: Option) -> str:
    told = found.forecast
    time = seconds(told.duration_s[1]) if told.duration_s else "unknown"
    return f"--llm-limit {found.llm_limit}, {time}, {money(told.cost_usd[1] if told.cost_usd else None)}"


def scale(told: Scale) -> str:
    """The scale plan in a sentence."""
    low, middle, high = (f"{day:.2g}" if day < 10 else f"{day:,.0f}" for day in told.days)
    cost = "unpriced" if told.cost_usd is None else f"{money(told.cost_usd[1])} (at most {money(told.cost_usd[2])})"
    return (
        f"{told.items:,} items: {plural(told.gpus, 'server')} for {middle} days ({low} to {high}), {cost}; "
        f"{told.items_per_day:,.0f} items a day at {told.llm_limit} calls in flight per set of servers, "
        f"{told.llm_calls:,} calls, {told.input_tokens + told.output_tokens:,.0f} tokens; "
        f"{told.searches_per_s:,.0f} searches a second ({told.search_limit} in flight) must keep up"
    )


def error(told: ForecastError) -> tuple[object, ...]:
    """A forecast and what came of it, as a row."""
    duration = seconds(told.forecast_s[1]) if told.forecast_s else "-"
    cost = money(told.forecast_usd[1]) if told.forecast_usd else "-"
    note = "" if told.as_ordered else "changed on the way"
    return (
        told.run_id,
        told.items,
        duration,
        seconds(told.measured_s),
        signed(told.duration_error),
        cost,
        money(told.measured_usd),
        signed(told.cost_error),
        note,
    )


def signed(value: float | None) -> str:
    """`+8 %`, `-3 %`."""
    return "-" if value is None else f"{100 * value:+.0f} %"


def attribution(told: Attribution) -> str:
    """What held a run back, and what to do about it."""
    values = {**told.values, "share": share(float(told.values.get("share", 0.0)))}
    name = str(told.values.get("name", ""))
    values["what"] = GATES.get(str(told.values.get("resource")), "The endpoint {name}").format(name=name)
    if told.values.get("limit"):
        values["what"] += f" ({told.values['limit']})"
    said = HELD_BACK[told.key].format_map(values)
    if told.suggestion is None:
        return said
    gain = {"gain": _gain(told.suggestion)}
    advice = SUGGESTIONS[told.suggestion.key].format_map({**told.suggestion.values, **gain})
    return f"{said} {advice[0].upper()}{advice[1:]}."


def _gain(told: Suggestion) -> str:
    """The expected gain; where nothing was measured there, from the least to the most."""
    if told.gain is None:
        return "an unknown gain"
    if told.between is None:
        return signed(told.gain)
    low, high = (signed(max(0.0, value)) for value in told.between)
    return f"{signed(told.gain)} ({low} to {high}: never measured)"


def effect(told: ChangeEffect) -> tuple[object, ...]:
    """A change of a limit and what it did, as a row."""
    before, after = told.before, told.after
    rates = (f"{before.calls_per_s:.2f}/s", f"{after.calls_per_s:.2f}/s") if before and after else ("-", "-")
    latencies = (seconds(before.p95_s), seconds(after.p95_s)) if before and after else ("-", "-")
    change = f"{told.resource} {told.endpoint} {told.old} -> {told.new}".replace("  ", " ")
    return seconds(told.t), change, *rates, signed(told.gain), *latencies, told.who, told.reason


def followed(told: Followed) -> str:
    """Expected against measured."""
    change = f"{told.effect.resource} {told.effect.old} -> {told.effect.new}"
    return f"{change}: expected {signed(told.expected_gain)}, measured {signed(told.measured_gain)}"


def saved(told: TimeSaved) -> str:
    """The time saved, with its spread."""
    low, middle, high = (seconds(value) for value in told.saved_s)
    flight = ", ".join(f"{n} {told.in_flight_mean.get(n, 0):.1f} (peak {k})" for n, k in told.in_flight_peak.items())
    return f"saved {middle} ({low} to {high}), {told.speedup:.1f} times as fast as serial; in flight: {flight}"
