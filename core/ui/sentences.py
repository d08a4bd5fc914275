"""States and measures as sentences in the session's language."""

from __future__ import annotations

import re

from core.base.records import RunStatus
from core.base.views import ControlView, Forecast, RunSnapshot, RunView
from core.ui.language import t
from core.ui.numbers import count, money, seconds, share
from core.ui.texts import knows

STATUS_LOOK: dict[RunStatus, tuple[str, str]] = {
    RunStatus.PENDING: ("gray", ":material/hourglass_empty:"),
    RunStatus.RUNNING: ("blue", ":material/play_arrow:"),
    RunStatus.PAUSED: ("orange", ":material/pause:"),
    RunStatus.FINISHED: ("green", ":material/check:"),
    RunStatus.CANCELLED: ("gray", ":material/stop:"),
    RunStatus.INTERRUPTED: ("orange", ":material/power_settings_new:"),
    RunStatus.BUDGET: ("orange", ":material/payments:"),
    RunStatus.CRASHED: ("red", ":material/error:"),
}
USUAL = (
    (re.compile(r"Cancelled by (?P<who>.+)\."), "said.cancelled_by"),
    (re.compile(r"Paused by (?P<who>.+)\."), "said.paused_by"),
    (
        re.compile(r"The budget of (?P<budget>\S+) USD is reached: (?P<spent>\S+) spent, (?P<open>\S+) in flight\."),
        "said.budget",
    ),
    (
        re.compile(r"The day's budget of (?P<budget>\S+) USD is reached: (?P<spent>\S+) of (?P<day>\S+) is spent .+"),
        "said.day_budget",
    ),
    (re.compile(r"refused: no process owns the run; resume it first"), "said.no_owner"),
    (re.compile(r"refused: (?P<why>.+)"), "said.refused"),
    (re.compile(r"superseded"), "said.superseded"),
    (re.compile(r"Its process (?P<owner>\S+) ended without a word\. .+"), "said.gone"),
    (re.compile(r"The program was closed\."), "said.closed"),
    (re.compile(r"Memory is short: (?P<held>\d+) MB of (?P<most>\d+) MB are held\. .+"), "said.memory"),
    (re.compile(r"The sweep is through: (?P<n>\d+) limits? measured; use (?P<knee>\d+)\."), "said.swept"),
    (
        re.compile(r"The items ran out before the sweep was through: (?P<n>\d+) limits? measured; use (?P<knee>\d+)\."),
        "said.swept_short",
    ),
)
TROUBLE = (
    (re.compile(r"No endpoint answers\."), "outage"),
    (re.compile(r"answered 40[1-4]|TLS with |spend limit|answered \d+, a redirect"), "refused"),
)
LIVE = frozenset({RunStatus.PENDING, RunStatus.RUNNING})
RESUMABLE = frozenset({RunStatus.PAUSED, RunStatus.INTERRUPTED, RunStatus.BUDGET, RunStatus.CRASHED})


def status_name(run: RunView) -> str:
    """The status in one or two words."""
    return t(f"status.{run.status}")


def status_sentence(run: RunView) -> str:
    """What the status means and what can be done; a finished run with failures says so."""
    if run.status == RunStatus.FINISHED and run.failed:
        return t("status_says.finished_failed", failed=count(run.failed))
    return t(f"status_says.{run.status}")


def trouble(run: RunView) -> str | None:
    """What kind of trouble a run paused for; None where the operator paused it, or it is not paused."""
    if run.status != RunStatus.PAUSED or not run.reason:
        return None
    known = next((kind for pattern, kind in TROUBLE if pattern.search(run.reason)), None)
    return known or (None if run.owner_alive or run.reason.startswith("Paused by ") else "other")


def trouble_sentence(run: RunView) -> str:
    """What happened to a run that paused by itself, and what to do."""
    return t(f"trouble.{trouble(run)}")


def progress_sentence(snapshot: RunSnapshot) -> str:
    """`110 of 240, 46%, about 2 min left`."""
    run = snapshot.run
    ended = run.selected - run.pending
    told = t("live.progress", done=count(ended), all=count(run.selected), share=share(ended / (run.selected or 1)))
    return told if snapshot.eta_s is None else f"{told} · {t('live.left', time=seconds(snapshot.eta_s))}"


def bottleneck_sentence(bottleneck: tuple[str, float, float] | None, *, automatic: bool = False) -> str:
    """Which gate held the run back, and by how much; says so where none did or it is too early.

    automatic: that gate's limit is an algorithm's, so that there is nothing to advise."""
    if bottleneck is None:
        return t("bottleneck.unknown")
    resource, full, other = bottleneck
    if full < 0.2:
        return t("bottleneck.neither", share=share(full))
    key = f"bottleneck_auto.{resource}" if automatic else f"bottleneck.{resource}"
    return t(key, share=share(full), other=share(other))


def resource_name(resource: str) -> str:
    """`Search` or `Model calls`; an unknown resource keeps its own name."""
    key = f"resource.{resource}"
    return t(key) if knows(key) else resource


def control_sentence(control: ControlView) -> str:
    """What was asked of a run: `Model limit 8 → 16`."""
    key = f"control.{control.action}"
    if not knows(key):
        return f"{control.action} {control.old} → {control.new}"
    return t(key, old=control.old or "?", new=control.new)


def outcome_sentence(control: ControlView) -> str:
    """Whether the command was obeyed, with what came of it where that was not simply `done`."""
    if control.applied_at is None:
        return t("control.waiting")
    if control.outcome in ("", "done", "ok", "applied"):
        return t("control.applied", time=seconds(max(0.0, control.applied_at - control.at)))
    return said(control.outcome)


def said(text: str) -> str:
    """A sentence of the engine in the session's language where it is one of its usual ones, else as it is."""
    for pattern, key in USUAL:
        found = pattern.fullmatch(text)
        if found:
            return t(key, **found.groupdict())
    return text


def forecast_sentence(forecast: Forecast) -> str:
    """Where the forecast's figures come from."""
    return t(f"forecast_basis.{forecast.basis}")


def forecast_time(forecast: Forecast) -> str:
    """`about 54 s (43 s to 76 s)`, or that nothing is known yet."""
    if forecast.duration_s is None:
        return t("forecast.unknown")
    return _about(*(seconds(value) for value in forecast.duration_s))


def forecast_cost(forecast: Forecast) -> str:
    """The cost with its range; `unpriced` where models have no price, unknown where no run has told anything yet."""
    if forecast.cost_usd is None:
        return t("forecast.unknown" if forecast.basis == "none" else "unit.unpriced")
    return _about(*(money(value) for value in forecast.cost_usd))


def _about(low: str, expected: str, high: str) -> str:
    """A range; where it has no width one figure."""
    return expected if low == high else t("forecast.about", expected=expected, low=low, high=high)


def said_by(source: str) -> str:
    """Where a setting stands; of a file its name is enough."""
    return ", ".join(word.rpartition("/")[2] for word in source.split(", "))
