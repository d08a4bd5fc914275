"""What a model server says of itself: how many requests wait there and how many it has preempted (vLLM's /metrics)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import httpx

from core.base.clock import SYSTEM_CLOCK, Clock
from core.base.errors import ModelError
from core.base.records import Model
from core.flow.limits import Gauges
from core.models.addresses import parse_url
from core.models.http_model import HttpModel
from core.models.openai import OpenAIModel
from core.models.transport import HttpTransport

TIMEOUT_S = 1.0
PATIENCE = 3
WAITING = "vllm:num_requests_waiting"
# As the text format names a counter, and as it was named before.
PREEMPTIONS = ("vllm:num_preemptions_total", "vllm:num_preemptions")


class GaugeReader:
    """Reads the gauges of one server; one that has none, or does not answer three times, is asked no more.

    `url` is the API base: the gauges stand beside its /v1.
    """

    def __init__(self, url: str, transport: HttpTransport, *, clock: Clock = SYSTEM_CLOCK) -> None:
        place = parse_url(url)
        self._origin = place.origin
        self._url = f"{place.origin}{place.path.rstrip('/').removesuffix('/v1')}/metrics"
        self._transport = transport
        self._clock = clock
        self._missed = 0

    def __repr__(self) -> str:
        return f"<GaugeReader {self._origin}{', given up' if self.given_up else ''}>"

    @property
    def given_up(self) -> bool:
        """Whether there is nothing to be read."""
        return self._missed >= PATIENCE

    def retry(self) -> None:
        """The server was down and answers again."""
        self._missed = 0

    async def read(self) -> Gauges | None:
        """The gauges now; None where they cannot be read."""
        try:
            request = httpx.Request("GET", self._url, headers={"accept-encoding": "identity"})
            answer = await self._transport.send(self._origin, request, TIMEOUT_S)
        except ModelError:
            self._missed += 1
            return None
        found = parse(answer.body.decode("utf-8", "replace"), self._clock.monotonic()) if answer.status == 200 else None
        self._missed = 0 if found else PATIENCE
        return found


def address_of(client: Model) -> str:
    """The API base of a client, without user and password; '' for one that calls no server."""
    return client.base_url if isinstance(client, HttpModel) else ""


def gauges_of(client: Model) -> GaugeReader | None:
    """What reads the gauges of a client's server; None for one that cannot have any."""
    return GaugeReader(client.base_url, client.transport) if isinstance(client, OpenAIModel) else None


def parse(text: str, at: float) -> Gauges | None:
    """The gauges in Prometheus' text format, summed over labels (several models or engines); None without them."""
    waiting = list(_values(text, WAITING))
    if not waiting:
        return None
    preemptions = next((found for name in PREEMPTIONS if (found := list(_values(text, name)))), [0.0])
    return Gauges(at, sum(waiting), sum(preemptions))


def _values(text: str, name: str) -> Iterator[float]:
    """The values of a metric: `name{labels} value [timestamp]`."""
    for line in text.splitlines():
        if line.startswith(name) and line[len(name) : len(name) + 1] in ("{", " "):
            value = _number(line[len(name) :].rpartition("}")[2].split())
            if math.isfinite(value) and value >= 0:
                yield value


def _number(words: list[str]) -> float:
    try:
        return float(words[0])
    except (IndexError, ValueError):
        return math.nan
