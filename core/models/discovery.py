"""Looking at an endpoint before it is needed: what it serves, and whether one tiny call is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.base.clock import SYSTEM_CLOCK, Clock
from core.base.endpoints import EndpointConfig
from core.base.errors import BrigadeError, MalformedError, ModelError
from core.base.records import Message, Model, ModelReply, ModelRequest
from core.models.anthropic import is_offered
from core.models.callable import CallableModel
from core.models.http_model import HttpModel
from core.models.opening import open_model
from core.models.transport import HttpTransport

WARM_UP_S = 120.0
WARM_UP_TOKENS = 8
# What the embedded model needs to have something to pick from; any other model just answers.
GREETING = "A guest wrote: [1] (r1) The soup was hot and the staff were kind. Say in a few words what the guest liked."


@dataclass(frozen=True, slots=True)
class Discovery:
    """What an endpoint said when asked for its models. error: why it said nothing, with the way out ('': it answered);
    status: the HTTP status of a failure, where there was one."""

    models: tuple[str, ...]
    latency_s: float
    error: str = ""
    status: int | None = None

    @property
    def ok(self) -> bool:
        """Whether it answered."""
        return not self.error


@dataclass(frozen=True, slots=True)
class WarmUp:
    """One tiny call. tokens_per_s: of the answer, from the first token on where it was streamed; error: with the way
    out ('': it was answered)."""

    model: str
    latency_s: float
    ttft_s: float | None = None
    tokens_per_s: float | None = None
    error: str = ""
    status: int | None = None

    @property
    def ok(self) -> bool:
        """Whether it was answered."""
        return not self.error


async def discover(
    endpoint: EndpointConfig, env: Mapping[str, str], transport: HttpTransport, *, clock: Clock = SYSTEM_CLOCK
) -> Discovery:
    """The models that an endpoint serves, asked now: a server by its list, a function by importing it.

    It raises nothing of the tree. A practice server must have been started (`url`).
    """
    began = clock.monotonic()
    try:
        client = open_model(endpoint, transport=transport, env=env)
        try:
            models = await _offered(client, endpoint)
        finally:
            await client.aclose()
    except BrigadeError as error:
        return Discovery((), clock.monotonic() - began, str(error), _status(error))
    return Discovery(models, clock.monotonic() - began)


async def _offered(client: Model, endpoint: EndpointConfig) -> tuple[str, ...]:
    if isinstance(client, HttpModel):
        return tuple(await client.models())
    if isinstance(client, CallableModel):
        await client.load()
    return endpoint.models


def serves(endpoint: EndpointConfig, model: str, found: Discovery) -> bool:
    """Whether an endpoint that answered serves a model; one without a list is trusted to."""
    if endpoint.kind == "anthropic":
        return not found.models or is_offered(model, found.models)
    return not found.models or model in found.models


async def warm_up(
    endpoint: EndpointConfig,
    model: str,
    env: Mapping[str, str],
    transport: HttpTransport,
    *,
    timeout_s: float = WARM_UP_S,
    clock: Clock = SYSTEM_CLOCK,
) -> WarmUp:
    """One real call of a few tokens, paid for like any other: it wakes a model that sleeps, and shows its pace.

    It raises nothing of the tree.
    """
    request = ModelRequest(
        model, (Message("user", GREETING),), WARM_UP_TOKENS, stream=endpoint.stream, timeout=timeout_s
    )
    began = clock.monotonic()
    try:
        client = open_model(endpoint, transport=transport, env=env)
        try:
            reply = await client.complete(request)
        finally:
            await client.aclose()
    except MalformedError as error:
        # A model that thinks spends so few tokens on thoughts: it answered all the same.
        said = "" if error.cut else str(error)
        return WarmUp(model, clock.monotonic() - began, error=said, status=error.status)
    except BrigadeError as error:
        return WarmUp(model, clock.monotonic() - began, error=str(error), status=_status(error))
    seconds = clock.monotonic() - began
    return WarmUp(model, seconds, reply.ttft, _pace(reply, seconds))


def _pace(reply: ModelReply, seconds: float) -> float | None:
    """Tokens a second: of those after the first where it is known when that came, else of all; None for no measure."""
    tokens = reply.usage.output_tokens
    if reply.ttft is not None and tokens > 1:
        tokens, seconds = tokens - 1, seconds - reply.ttft
    return tokens / seconds if seconds > 0 and not reply.usage.estimated else None


def _status(error: BrigadeError) -> int | None:
    return error.status if isinstance(error, ModelError) else None
