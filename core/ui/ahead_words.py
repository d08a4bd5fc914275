"""Plans, servers for millions and judged forecasts as sentences and rows in the session's language."""

from __future__ import annotations

from collections.abc import Mapping

from core.base.tuning_views import ForecastError, Option, Plan, Scale
from core.ui.language import t
from core.ui.numbers import DASH, count, moment, money, rate, seconds
from core.ui.sentences import forecast_cost, forecast_time
from core.ui.tuning_words import signed

BIG = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def plan_sentence(plan: Plan) -> str:
    """How many ways there are, or that there is none."""
    if plan.best is None:
        return t("ahead.untold")
    if not plan.options:
        return t("ahead.impossible")
    return t("ahead.one_way") if len(plan.options) == 1 else t("ahead.ways", n=count(len(plan.options)))


def option_sentence(option: Option, titles: Mapping[str, str]) -> str:
    """One way in a line: limit, models, time and cost with their ranges."""
    told = (
        f"{t('column.llm_limit')} {count(option.llm_limit)}",
        _models(option, titles),
        forecast_time(option.forecast),
        forecast_cost(option.forecast),
    )
    return " · ".join(word for word in told if word)


def option_row(option: Option, titles: Mapping[str, str]) -> dict[str, object]:
    """One way as a row of the table."""
    time, cost = option.forecast.duration_s, option.forecast.cost_usd
    return {
        "llm_limit": option.llm_limit,
        "search_limit": option.search_limit,
        "expected": seconds(time[1] if time else None),
        "at_most": seconds(time[2] if time else None),
        "cost": money(cost[1] if cost else None),
        "cost_most": money(cost[2] if cost else None),
        "sureness": t("sureness.sure" if _sure(option) else "sureness.likely"),
        "models": _models(option, titles),
    }


def _sure(option: Option) -> bool:
    return option.sure_deadline is not False and option.sure_budget is not False


def _models(option: Option, titles: Mapping[str, str]) -> str:
    """The model where all stages have the same, else each stage with its own."""
    models = {stage: model for stage, model in option.models.items() if model}
    if len(set(models.values())) <= 1:
        return next(iter(models.values()), "")
    return ", ".join(f"{titles.get(stage, stage)}: {model}" for stage, model in models.items())


def big(value: float) -> str:
    """A number of tokens or calls in three digits: `32.8 G`."""
    unit, name = next(((unit, name) for unit, name in BIG if value >= unit), (1.0, ""))
    return f"{value / unit:.3g} {name}".strip()


def days(value: float) -> str:
    """Days with two digits that say something."""
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def scale_range(told: Scale) -> str:
    """The ranges of days and, where there is a price, of the cost, beneath their expected values."""
    low, _, high = told.days
    ranges = [f"{t('ahead.days')}: {t('forecast.between', low=days(low), high=days(high))}"]
    if told.cost_usd is not None:
        low_usd, _, high_usd = told.cost_usd
        ranges.append(f"{t('kpi.cost')}: {t('forecast.between', low=money(low_usd), high=money(high_usd))}")
    return " · ".join(ranges)


def scale_lines(told: Scale) -> list[str]:
    """What a plan for millions means for calls, tokens, limits, searches and the bill."""
    return [
        t(
            "ahead.scale_calls",
            calls=big(told.llm_calls),
            read=big(told.input_tokens),
            written=big(told.output_tokens),
        ),
        t("ahead.scale_limit", limit=count(told.llm_limit)),
        t("ahead.scale_search", rate=rate(told.searches_per_s), limit=count(told.search_limit)),
        t(f"ahead.paid_{told.cost_basis}"),
    ]


def error_row(told: ForecastError) -> dict[str, object]:
    """A finished run against its forecast."""
    time, cost = told.forecast_s, told.forecast_usd
    return {
        "at": moment(told.ended_at),
        "run": told.run_id,
        "items": told.items,
        "forecast_s": seconds(time[1] if time else None),
        "measured_s": seconds(told.measured_s),
        "off": signed(told.duration_error),
        "forecast_usd": money(cost[1]) if cost else DASH,
        "cost": money(told.measured_usd),
        "off_usd": signed(told.cost_error),
        "noted": _noted(told),
    }


def _noted(told: ForecastError) -> str:
    if not told.as_ordered:
        return t("noted.changed")
    return t("noted.outside") if told.within is False else ""
