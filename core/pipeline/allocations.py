"""Which model chain a stage uses right now: the run's controls first, then what the weaker layers say.

A model that nobody made ready yet is not used: the stage stays with what it had until its endpoints have answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from core.base.allocation import Allocation, Override
from core.base.allocation_keys import KEYS, PARSERS
from core.base.workload import Stage

Prepare = Callable[[str], Awaitable[str]]
MODELS = ("model", "fallback")


class Allocations:
    """Resolves a stage for the next call; what changes takes effect at once.

    resolve: what the layers beneath the controls say; overrides: the controls, by `stage.key`; prepare: makes a model
    ready and gives the name its servers know (None: every name is ready as it is).
    """

    def __init__(
        self,
        resolve: Callable[[Stage], Allocation],
        overrides: Mapping[str, Override] = {},
        prepare: Prepare | None = None,
    ) -> None:
        self._resolve = resolve
        self._overrides = dict(overrides)
        self._prepare = prepare
        self._names: dict[str, str] = {}
        self._stages: dict[str, Stage] = {}
        self._known: dict[str, Allocation] = {}
        self._fresh: set[str] = set()

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={override.value}" for name, override in self._overrides.items())
        return f"<Allocations {said or 'as configured'}>"

    @property
    def overrides(self) -> Mapping[str, Override]:
        """The controls of the run, by `stage.key`."""
        return dict(self._overrides)

    def __call__(self, stage: Stage) -> Allocation:
        """The stage's allocation, resolved once and again after a change."""
        if stage.id not in self._fresh:
            self._renew(stage)
        return self._known[stage.id]

    def _renew(self, stage: Stage) -> None:
        found, before = self.wanted(stage), self._known.get(stage.id)
        if before is not None:
            for key in MODELS:
                if not self._is_ready(found, key):
                    found = found.keeping(before, key)
        self._stages[stage.id] = stage
        self._known[stage.id] = found.renamed(self._names)
        self._fresh.add(stage.id)

    def _is_ready(self, allocation: Allocation, key: str) -> bool:
        models = allocation.fallback if key == "fallback" else (allocation.model,)
        return self._prepare is None or all(model in self._names for model in models)

    def wanted(self, stage: Stage) -> Allocation:
        """What the stage is to use, by the names that were chosen, whether or not they are ready."""
        found = self._resolve(stage)
        for key in KEYS:
            override = self._overrides.get(f"{stage.id}.{key}")
            if override is not None:
                found = found.taking(key, PARSERS[key](override.value), f"control by {override.who}")
        return found

    def override(self, stage: str, key: str, override: Override | None) -> Override | None:
        """Give a stage a value by hand, or take that back (None); what was there before."""
        name = f"{stage}.{key}"
        before = self._overrides.pop(name, None)
        if override is not None:
            self._overrides[name] = override
        self.refresh()
        return before

    def refresh(self) -> None:
        """Something that the stages are resolved from has changed: resolve them again."""
        self._fresh.clear()

    def missing(self) -> tuple[str, ...]:
        """The models that stages are to use and that are not ready."""
        if self._prepare is None:
            return ()
        wanted = [model for stage in self._stages.values() for model in self.wanted(stage).chain]
        return tuple(model for model in dict.fromkeys(wanted) if model not in self._names)

    async def make_ready(self, model: str) -> None:
        """Prepare a model and use it where it is wanted; BrigadeError where nobody serves it."""
        if self._prepare is not None and model not in self._names:
            self._names[model] = await self._prepare(model)
            self.refresh()
