"""Where a sweep is measured: the one endpoint, its model, the workload as it is swept, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.base.allocation import Layers, Override, Overrides, max_concurrent
from core.base.allocation_keys import NOTHING
from core.base.endpoints import EndpointConfig
from core.base.errors import ConfigError, UnknownError
from core.base.records import Usage
from core.base.setting_endpoints import without_user
from core.base.settings import Settings
from core.base.workload import Workload
from core.models import Prices
from core.practice import PRESETS
from core.tuning.sweep_calls import schedule
from core.tuning.sweep_order import SweepOrder

REHEARSAL = "rehearsal"
PRACTICE_MODELS = ("practice-small", "practice-large")


@dataclass(frozen=True, slots=True)
class Site:
    """Where an order is measured: the workload as it is swept, the one endpoint, the model, the limits it may try."""

    order: SweepOrder
    workload: Workload
    endpoint: EndpointConfig
    model: str
    limits: tuple[int, ...]

    def overrides(self, who: str) -> Overrides:
        """Every model stage uses the model that is measured and falls back to no other."""
        said = {"fallback": NOTHING} | ({"model": self.model} if self.model else {})
        stages = [stage.id for stage in self.workload.stages if stage.kind == "llm"]
        return {f"{stage}.{key}": Override(value, who) for stage in stages for key, value in said.items()}


def site_of(order: SweepOrder, layers: Layers) -> Site:
    """Find what an order means; ConfigError or UnknownError say what does not go together."""
    workload, settings = layers.workload, layers.settings
    if order.resource == "search":
        return Site(order, order.of(workload), _search_endpoint(settings), "", schedule(order.limits))
    endpoint = _endpoint(order, settings)
    ceiling = _ceiling(endpoint, layers)
    if order.limits and ceiling is not None and max(order.limits) > ceiling[0]:
        msg = f"A limit of {max(order.limits)} is above {ceiling[1]}; sweep up to {ceiling[0]}, or raise that first."
        raise ConfigError(msg)
    limits = schedule(order.limits, ceiling[0] if ceiling else None)
    return Site(order, order.of(workload), endpoint, _model(order, endpoint, settings), limits)


def _endpoint(order: SweepOrder, settings: Settings) -> EndpointConfig:
    if order.preset is not None:
        if order.preset not in PRESETS:
            msg = f"There is no practice preset {order.preset!r}; there are {', '.join(PRESETS)}."
            raise UnknownError(msg)
        return EndpointConfig(f"{REHEARSAL}-{order.preset}", "practice", models=PRACTICE_MODELS, preset=order.preset)
    if order.endpoint is None:
        return settings.endpoint_for(settings.model if order.model is None else order.model)
    found = next((e for e in settings.endpoints if e.name == order.endpoint), None)
    if found is None:
        known = ", ".join(e.name for e in settings.endpoints) or "none"
        msg = f"There is no endpoint {order.endpoint!r}; there are {known}."
        raise UnknownError(msg)
    return found


def _search_endpoint(settings: Settings) -> EndpointConfig:
    """The search side, as far as a sweep tells of it."""
    search = settings.search
    return EndpointConfig("search", search.backend, search.url)


def _model(order: SweepOrder, endpoint: EndpointConfig, settings: Settings) -> str:
    """The model asked for, the configured one where it is served there, else the endpoint's first."""
    wanted = settings.model if order.model is None else order.model
    serves = wanted in endpoint.models or (not endpoint.models and (not wanted or endpoint.open_to(wanted)))
    if order.model is not None and not serves:
        msg = f"Endpoint {endpoint.name!r} does not serve {order.model!r}; it serves {', '.join(endpoint.models)}."
        raise UnknownError(msg)
    return wanted if serves else next(iter(endpoint.models), "")


def _ceiling(endpoint: EndpointConfig, layers: Layers) -> tuple[int, str] | None:
    """The lowest of the limits that are set there, and what sets it."""
    most = max_concurrent(layers)
    found = [(endpoint.limit, f"the limit of {endpoint.limit} that endpoint {endpoint.name!r} has")]
    found.append((most, f"the most of {most} calls that workload {layers.workload.id!r} allows"))
    return min(((n, why) for n, why in found if n is not None), default=None)


def server_of(endpoint: EndpointConfig) -> str:
    """What kind of server it is, as sweeps are compared by: a practice server's preset, else its kind."""
    return f"practice {endpoint.preset}" if endpoint.kind == "practice" else endpoint.kind


class EndpointCosts:
    """The prices of one endpoint."""

    def __init__(self, endpoint: EndpointConfig) -> None:
        self._endpoint = endpoint
        self._prices = Prices()

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        """What so many tokens cost there."""
        return self._prices.cost(self._endpoint, model, usage)


def record_of(site: Site) -> Mapping[str, Any]:
    """What is kept of where a sweep is measured; never who may sign in there."""
    order, endpoint = site.order, site.endpoint
    return {
        "resource": order.resource,
        "endpoint": endpoint.name,
        "url": without_user(endpoint.url or ""),
        "server": server_of(endpoint),
        "model": site.model,
        "limits": order.limits,
        "slo_p95_s": order.slo_p95_s,
    }
