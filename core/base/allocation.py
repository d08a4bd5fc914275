"""Which models, how many tokens and which temperature a stage uses.

Strongest first: the run's own overrides, the environment, the workload's stage, the run's default. Variables are
`<WORKLOAD>_<STAGE>_MODEL`, `_MAX_TOKENS`, `_TEMPERATURE` and `_MAX_CONCURRENT`, upper case, `-` as `_`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.base.errors import ConfigError
from core.base.setting_table import Parse, text, whole
from core.base.settings import Settings
from core.base.workload import Stage, Workload


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a stage's calls use. fallback: the models to try next; source: where the model's name came from;
    max_concurrent: this stage's calls in flight at most (None: only the common limit)."""

    model: str
    max_tokens: int
    temperature: float = 0.0
    fallback: tuple[str, ...] = ()
    source: str = "workload"
    max_concurrent: int | None = None

    @property
    def chain(self) -> tuple[str, ...]:
        """The model, then its fallbacks."""
        return (self.model, *self.fallback)

    def renamed(self, names: Mapping[str, str]) -> Allocation:
        """The same with models called as the servers call them; unknown names stay."""
        model, *fallback = [names.get(model, model) for model in self.chain]
        return replace(self, model=model, fallback=tuple(m for m in dict.fromkeys(fallback) if m != model))


def allocation(
    workload: Workload,
    stage: Stage,
    settings: Settings,
    overrides: Mapping[str, str] | None = None,
    *,
    model: str | None = None,
) -> Allocation:
    """The allocation of a stage.

    overrides: the run's own models by stage; model: the run's default (None: the settings' one, '' asks the server).
    """
    name, source = _model(workload, stage, settings, overrides or {}, model)
    max_tokens = _variable(settings, workload, stage, "MAX_TOKENS", whole(1))
    temperature = _variable(settings, workload, stage, "TEMPERATURE", _temperature)
    return Allocation(
        name,
        stage.max_tokens if max_tokens is None else max_tokens,
        stage.temperature if temperature is None else temperature,
        tuple(m for m in dict.fromkeys(stage.fallback) if m != name),
        source,
        _variable(settings, workload, stage, "MAX_CONCURRENT", whole(1)),
    )


def max_concurrent(workload: Workload, settings: Settings) -> int | None:
    """Model calls of a workload in flight at most: `<WORKLOAD>_MAX_CONCURRENT`, else what its file says."""
    found = _variable(settings, workload, None, "MAX_CONCURRENT", whole(1))
    return workload.max_concurrent if found is None else int(found)


def variable_name(workload: Workload, stage: Stage | None, what: str) -> str:
    """The environment variable of a workload's or a stage's allocation."""
    words = [workload.id, stage.id if stage else "", what]
    return "_".join("".join(c if c.isalnum() else "_" for c in word).upper() for word in words if word)


def _model(
    workload: Workload, stage: Stage, settings: Settings, overrides: Mapping[str, str], model: str | None
) -> tuple[str, str]:
    if overrides.get(stage.id):
        return overrides[stage.id], "control"
    found = _variable(settings, workload, stage, "MODEL", text)
    if found:
        name = variable_name(workload, stage, "MODEL")
        return str(found), settings.sources.get(name, f"environment {name}")
    if stage.model:
        return stage.model, "workload"
    return (settings.model, settings.sources.get("model", "default")) if model is None else (model, "run")


def _variable(settings: Settings, workload: Workload, stage: Stage | None, what: str, parse: Parse) -> Any:
    name = variable_name(workload, stage, what)
    raw = settings.variables.get(name)
    if raw is None:
        return None
    try:
        return parse(raw)
    except ValueError as exc:
        msg = f"{settings.sources.get(name, name)} = {raw!r}: {exc}."
        raise ConfigError(msg) from exc


def _temperature(value: Any) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 2:
        msg = "must be a number from 0 to 2"
        raise ValueError(msg)
    return number
