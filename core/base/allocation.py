"""Which models, how many tokens and which temperature a stage uses, and which layer says so.

Strongest first: the run's controls, settings in the database, the environment, the workload's file, the run's default
model, the settings' one. Variables are `<WORKLOAD>_<STAGE>_MODEL`, `_MAX_TOKENS`, `_TEMPERATURE`, `_FALLBACK` and
`_MAX_CONCURRENT`, upper case, `-` as `_`; in the database they are `allocation.<workload>.<stage>.<key>`. A limit of a
whole workload is `<WORKLOAD>_MAX_CONCURRENT` and `allocation.<workload>.max_concurrent`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.base.allocation_keys import KEYS, PARSERS, Stored, setting_name, variable_name
from core.base.errors import ConfigError
from core.base.settings import Settings
from core.base.views import AllocationView
from core.base.workload import Stage, Workload

DATABASE = "database"
DEFAULT = "default"
_PLAIN = Stage("", "llm")


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a stage's calls use. fallback: the models to try next; max_concurrent: this stage's calls in flight at most
    (None: only the common limits); sources: which layer said each value."""

    model: str
    max_tokens: int
    temperature: float = 0.0
    fallback: tuple[str, ...] = ()
    max_concurrent: int | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Where the model's name came from."""
        return self.sources.get("model", "workload")

    @property
    def chain(self) -> tuple[str, ...]:
        """The model, then its fallbacks."""
        return (self.model, *(model for model in self.fallback if model != self.model))

    def renamed(self, names: Mapping[str, str]) -> Allocation:
        """The same with models called as the servers call them; unknown names stay."""
        model, *fallback = [names.get(model, model) for model in self.chain]
        return replace(self, model=model, fallback=tuple(m for m in dict.fromkeys(fallback) if m != model))

    def taking(self, key: str, value: Any, source: str) -> Allocation:
        """The same with another value of a key."""
        changes: dict[str, Any] = {key: value, "sources": {**self.sources, key: source}}
        return replace(self, **changes)

    def keeping(self, other: Allocation, key: str) -> Allocation:
        """The same with the value that another has of a key."""
        return self.taking(key, getattr(other, key), other.sources.get(key, DEFAULT))


@dataclass(frozen=True, slots=True)
class Override:
    """A value, as text, that an operator gave a stage of one run, and who did."""

    value: str
    who: str


Overrides = Mapping[str, Override]


@dataclass(frozen=True, slots=True)
class Given:
    """What one layer says of a value."""

    value: Any
    source: str


@dataclass(frozen=True, slots=True)
class Layers:
    """Everything but a run's controls that says how a workload's stages are allocated.

    database: the sound settings of the store (`allocation_keys.sound`); model: the run's default model (None: the
    settings' one, '' asks the server).
    """

    workload: Workload
    settings: Settings
    database: Stored = field(default_factory=dict)
    model: str | None = None

    def given(self, stage: Stage | None, key: str) -> tuple[Given, ...]:
        """What each layer says of a value, strongest first; there is at least one. ConfigError names a bad variable."""
        return tuple(self._given(stage, key))

    def _given(self, stage: Stage | None, key: str) -> Iterator[Given]:
        name = setting_name(self.workload.id, stage.id if stage else "", key)
        if name in self.database:
            yield Given(PARSERS[key](self.database[name]), DATABASE)
        yield from self._environment(variable_name(self.workload, stage, key), key)
        if key == "model":
            yield from self._models(stage)
        else:
            value = getattr(stage or self.workload, key, None)
            yield Given(value, "workload" if _written(stage, key, value) else DEFAULT)

    def _environment(self, name: str, key: str) -> Iterator[Given]:
        raw = self.settings.variables.get(name)
        if raw is None:
            return
        source = self.settings.sources.get(name, f"environment {name}")
        try:
            yield Given(PARSERS[key](raw), source)
        except ValueError as exc:
            msg = f"{source} = {raw!r}: {exc}."
            raise ConfigError(msg) from exc

    def _models(self, stage: Stage | None) -> Iterator[Given]:
        if stage is not None and stage.model:
            yield Given(stage.model, "workload")
        if self.model is not None and self.model != self.settings.model:
            yield Given(self.model, "run")
        else:
            yield Given(self.settings.model, self.settings.sources.get("model", DEFAULT))

    def views(self) -> Iterator[AllocationView]:
        """Every value of every model stage, and the workload's own limit ('' as the stage)."""
        yield self._view(None, "max_concurrent")
        for stage in self.workload.stages:
            if stage.kind == "llm":
                yield from (self._view(stage, key) for key in KEYS)

    def _view(self, stage: Stage | None, key: str) -> AllocationView:
        strongest, *weaker = self.given(stage, key)
        beneath = tuple((given.value, given.source) for given in weaker)
        stage_id = stage.id if stage else ""
        return AllocationView(self.workload.id, stage_id, key, strongest.value, strongest.source, beneath)


def allocation(layers: Layers, stage: Stage) -> Allocation:
    """The allocation of a stage, each value from the strongest layer that says it; ConfigError names a bad variable."""
    found = {key: layers.given(stage, key)[0] for key in KEYS}
    values = {key: given.value for key, given in found.items()}
    values["fallback"] = tuple(m for m in dict.fromkeys(values["fallback"]) if m != values["model"])
    return Allocation(**values, sources={key: given.source for key, given in found.items()})


def max_concurrent(layers: Layers) -> int | None:
    """Model calls of a run of the workload in flight at most; None where only the run's own limit holds."""
    most: int | None = layers.given(None, "max_concurrent")[0].value
    return most


def _written(stage: Stage | None, key: str, value: Any) -> bool:
    """Whether the workload's file says it; of a stage made in code, whether it differs from the default."""
    if stage is None:
        return value is not None
    return key in stage.written or value != getattr(_PLAIN, key, None)
