"""The facts that cross layers: frozen and slotted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol


class Outcome(StrEnum):
    """What a call tells the limit: exactly these three."""

    SUCCESS = "success"
    OVERLOAD = "overload"
    IGNORED = "ignored"


class RunStatus(StrEnum):
    """The life of a run. `finished` may hold failed items; the others say why it is not (yet) finished."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    BUDGET = "budget"
    CRASHED = "crashed"


class ItemStatus(StrEnum):
    """The life of an item in a run: selected = the sum over the last five."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    NO_REVIEWS = "no_reviews"


@dataclass(frozen=True, slots=True)
class Item:
    """What a workload processes. `kind` is the workload's `item_kind`; `fields` the item's own data."""

    id: str
    name: str
    kind: str = "restaurant"
    fields: Mapping[str, Any] = field(default_factory=dict)
    reviews: int = 0


@dataclass(frozen=True, slots=True)
class Review:
    """One review as imported; `extra` holds the unknown columns."""

    restaurant_id: str
    restaurant_name: str
    review_id: str
    text: str
    rating: float | None = None
    date: str | None = None
    author: str | None = None
    lang: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A retrieved sentence. `position` is the sentence's number in its review (0-based); `score` is the backend's
    final (higher is better)."""

    review_id: str
    text: str
    score: float
    position: int = 0
    author: str | None = None
    rating: float | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """One part's question to the index, as the workload file gives it.

    phrasings: the ways to ask for this part; contrast: what it is not (the other aspects and ambience);
    keywords: words for the sparse side; cutoff: the lowest final score kept (None: keep all), but for the best `keep`
    sentences, which stay unless they clearly speak of something else; limit: most sentences returned.
    """

    part: str
    phrasings: tuple[str, ...]
    contrast: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    cutoff: float | None = None
    limit: int = 8
    keep: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """A chat message; role is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One LLM call; `json` asks for a JSON object.

    Deadlines in seconds: `timeout` in all, `first_byte` until the answer begins (None: only the total bounds it),
    `idle` between two pieces of it (None: the client's own).
    """

    model: str
    messages: tuple[Message, ...]
    max_tokens: int = 256
    temperature: float = 0.0
    stream: bool = False
    json: bool = False
    timeout: float = 60.0
    stop: tuple[str, ...] = ()
    first_byte: float | None = None
    idle: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; `estimated` where the server gave none or nonsense.

    Of the input tokens `cached_tokens` came from a cache and `stored_tokens` were put into one; of the output tokens
    `reasoning_tokens` are thoughts that the answer does not show, paid for like the rest.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    estimated: bool = False
    stored_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A model's answer. finish: stop, length or content_filter; ttft: seconds to the first token, gap: the longest
    between two pieces (both of streamed answers only); quota: what the response's headers say of rate limits, names in
    lower case."""

    text: str
    usage: Usage
    finish: str = "stop"
    ttft: float | None = None
    model: str | None = None
    quota: Mapping[str, str] = field(default_factory=dict)
    gap: float | None = None


class Model(Protocol):
    """Whatever answers a request: raises only `ModelError`s (and cancellation)."""

    async def complete(self, request: ModelRequest) -> ModelReply: ...
    async def aclose(self) -> None: ...


class Searcher(Protocol):
    """Whatever finds evidence: all of an item's queries in one batched request.

    Returns one list per query, in the queries' order, best first. Raises only `SearchError`s.
    """

    async def search(self, item_id: str, queries: Sequence[Query]) -> list[list[Evidence]]: ...
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Citation:
    """A span of a result's text (character offsets, end exclusive) and the evidence behind it."""

    start: int
    end: int
    review_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One search or model request, as the ledger keeps it. Times: `started_at` wall seconds, durations in seconds.

    why: which layer chose the model, or what made it a fallback.
    """

    run_id: str
    item_id: str
    stage: str
    parts: tuple[str, ...]
    input_hash: str
    number: int
    resource: str
    endpoint: str
    model: str
    calls: int = 1
    max_tokens: int | None = None
    temperature: float | None = None
    started_at: float = 0.0
    queue_s: float = 0.0
    reserved_usd: Decimal | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt ended. `state`: ok, failed, rate_limited, refused, cancelled; `error` is redacted text."""

    state: str
    outcome: Outcome
    service_s: float
    ttft_s: float | None = None
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    error: str | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class NodeResult:
    """The text of one node for one part ('' for a stage that is once per item), with its evidence and flags.

    status: done, failed, refused, no_evidence. For a search node `text` is '' and `evidence` holds what was found.
    transient: it failed for a reason that may pass; not kept in the store.
    """

    run_id: str
    item_id: str
    stage: str
    part: str
    text: str
    status: str = "done"
    evidence: tuple[Evidence, ...] = ()
    citations: tuple[Citation, ...] = ()
    flags: tuple[str, ...] = ()
    model: str | None = None
    cost_usd: Decimal | None = None
    input_hash: str = ""
    error: str | None = None
    transient: bool = False
