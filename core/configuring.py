"""Configuring: what operators keep in the database beside the configuration, and what both together come to.

Allocations are `allocation.<workload>.<stage>.<key>`, endpoints `endpoint.<name>`; who changed what and when is kept.
A running run follows within 250 ms, whichever process owns it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.base.allocation import Layers, max_concurrent
from core.base.allocation_keys import KEYS, PARSERS, as_text, setting_name
from core.base.endpoints import EndpointConfig
from core.base.errors import ConfigError, RejectedError, UnknownError
from core.base.setting_endpoints import without_user
from core.base.settings import Settings
from core.base.stored_endpoints import PREFIX, REMOVED, Placed, parse_row, placed, stored_endpoint
from core.base.views import AllocationView, DayView, EndpointView, StageCost
from core.base.workload import Workload
from core.cost_split import split_cost
from core.directions import Notices
from core.models.addresses import check_literal, parse_url
from core.models.prices import Prices
from core.reading import Reading
from core.store import Store
from core.store.spending import KEY as DAY_BUDGET


class Configuring(Reading):
    """The part of the service that changes what later runs, and those under way, go by."""

    def __init__(self, settings: Settings, store: Store, env: Mapping[str, str]) -> None:
        super().__init__(settings, store)
        self._env = env
        self._notices = Notices(store, settings, env)

    def settings_now(self) -> Settings:
        """The settings with the endpoints of this moment."""
        return self._notices.settings_now(self._notices.read())

    # Allocations

    def allocations(self, workload: str) -> tuple[AllocationView, ...]:
        """Every value of every model stage of a workload, which layer says it, and what it overrides."""
        return tuple(self._layers(self.workload(workload)).views())

    def most_in_flight(self, workload: Workload) -> int | None:
        """Model calls of a run of the workload in flight at most; None where only the run's own limit holds."""
        return max_concurrent(self._layers(workload))

    def _layers(self, workload: Workload) -> Layers:
        told = self._notices.read()
        return Layers(workload, self._notices.settings_now(told), told.sound_allocation())

    def set_allocation(self, workload: str, stage: str, key: str, value: object | None, *, who: str) -> None:
        """Give a stage ('': the workload) a value, or with None leave it to the weaker layers.

        A running run uses it from the next call on. UnknownError or ConfigError say what is wrong and what there is.
        """
        loaded = self.workload(workload)
        _check_place(loaded, stage, key)
        name = setting_name(loaded.id, stage, key)
        if value is None:
            self.store.settings.clear(name, who)
            return
        text = as_text(value).strip()
        try:
            parsed = PARSERS[key](text)
        except ValueError as exc:
            msg = f"{name} = {text!r}: {exc}."
            raise ConfigError(msg) from None
        for model in (parsed,) if key == "model" else parsed if key == "fallback" else ():
            self.settings_now().endpoints_for(model)
        self.store.settings.set(name, as_text(parsed), who)

    # Money

    def day(self) -> DayView:
        """What all runs have spent today, and the most they may."""
        return DayView(self.store.spent_today(), self.store.day_budget(), self.store.day.by_hand)

    def set_day_budget(self, usd: Decimal | None, *, who: str) -> None:
        """The most that all runs may cost in a day, from the next call on; None leaves it to the settings.

        ConfigError for what is no amount, and where the command line says another, which is stronger.
        """
        if self.store.day.by_hand:
            msg = f"The day's budget of {self.store.day.limit} USD is on this process's command line: change it there."
            raise ConfigError(msg)
        if usd is None:
            self.store.settings.clear(DAY_BUDGET, who)
            return
        if not usd.is_finite() or usd < 0:
            msg = f"The day's budget is {usd}; it must be an amount in US dollars of 0 or more."
            raise ConfigError(msg)
        self.store.settings.set(DAY_BUDGET, f"{usd:f}", who)

    def stage_costs(self, run_id: str) -> tuple[StageCost, ...]:
        """What of each stage's cost was for tokens read, cached and written, where today's prices explain it."""
        run, now, prices = self.run(run_id), self.settings_now(), Prices()
        if run.settings.get("connections", {}).get("llm_url"):
            return ()
        found = (split_cost(s, _serving(now, s.model), prices) for s in self.stages(run.id) if s.resource == "llm")
        return tuple(cost for cost in found if cost is not None)

    # Endpoints

    def models(self) -> list[tuple[str, str]]:
        """What the endpoints of this moment offer: (model, endpoint)."""
        return [(model, e.name) for e in self.settings_now().endpoints for model in (e.models or ("",))]

    def endpoints(self) -> tuple[EndpointView, ...]:
        """Every endpoint, of the configuration and of the database, removed ones too."""
        return tuple(self._view(one) for one in self._placed())

    def _view(self, one: Placed) -> EndpointView:
        endpoint = one.endpoint
        return EndpointView(
            name=endpoint.name,
            kind=endpoint.kind,
            url=without_user(endpoint.url or ""),
            models=endpoint.models,
            limit=endpoint.limit,
            rpm=endpoint.rpm,
            tpm=endpoint.tpm,
            source=one.source,
            removed=one.removed,
            key_env=endpoint.key_env,
            key_set=bool(endpoint.key_env and self._env.get(endpoint.key_env)),
            problem=one.problem,
        )

    def set_endpoint(self, name: str, fields: Mapping[str, Any], *, who: str) -> None:
        """Add an endpoint, or change what these keys say of one; None takes a key back.

        The keys are those of an `[[endpoint]]` table. ConfigError says what may not or cannot be.
        """
        said = self._said(name)
        for key, value in fields.items():
            said.pop(key, None) if value is None else said.update({key: value})
        self._write(name, said, who)

    def remove_endpoint(self, name: str, *, who: str) -> None:
        """Send an endpoint no new calls; what is in flight there finishes. A row that cannot be used is deleted."""
        if self._named(name).problem:
            self.store.settings.clear(f"{PREFIX}{name}", who)
        else:
            self._write(name, {**self._said(name), REMOVED: True}, who)

    def restore_endpoint(self, name: str, *, who: str) -> None:
        """Let a removed endpoint take calls again."""
        self._named(name)
        self._write(name, {key: value for key, value in self._said(name).items() if key != REMOVED}, who)

    def _said(self, name: str) -> dict[str, Any]:
        """What the database holds of an endpoint; a row that holds nonsense is written anew."""
        row = self.store.settings.get(f"{PREFIX}{name}")
        try:
            return parse_row(name, row) if row else {}
        except ConfigError:
            return {}

    def _named(self, name: str) -> Placed:
        known = {one.endpoint.name: one for one in self._placed()}
        if name not in known:
            msg = f"There is no endpoint {name!r}; there are {', '.join(known)}."
            raise UnknownError(msg)
        return known[name]

    def _placed(self) -> tuple[Placed, ...]:
        return placed(self.settings, self._notices.read().endpoints, self._env)

    def _write(self, name: str, said: Mapping[str, Any], who: str) -> None:
        endpoint = stored_endpoint(self.settings, name, said, self._env)
        _check_address(endpoint)
        if said:
            self.store.settings.set(f"{PREFIX}{name}", json.dumps(said, ensure_ascii=False), who)
        else:
            self.store.settings.clear(f"{PREFIX}{name}", who)


def _serving(settings: Settings, model: str) -> tuple[EndpointConfig, ...]:
    """The endpoints that serve a model now; none where nobody does any more."""
    try:
        return settings.endpoints_for(model)
    except UnknownError:
        return ()


def _check_place(workload: Workload, stage: str, key: str) -> None:
    """UnknownError where a workload has no such stage, or a stage no such value."""
    stages = [s.id for s in workload.stages if s.kind == "llm"]
    if stage and stage not in stages:
        msg = f"There is no model stage {stage!r}; the stages of {workload.id} are {', '.join(stages)}."
        raise UnknownError(msg)
    keys = KEYS if stage else ("max_concurrent",)
    if key not in keys:
        of = f"stage {stage}" if stage else f"the workload {workload.id} itself"
        msg = f"There is no {key!r} of {of}; there is {', '.join(keys)}."
        raise UnknownError(msg)


def _check_address(endpoint: EndpointConfig) -> None:
    """ConfigError for an address that is never called, before anything is kept."""
    if endpoint.url:
        try:
            check_literal(parse_url(endpoint.url).origin)
        except RejectedError as error:
            raise ConfigError(str(error)) from error
