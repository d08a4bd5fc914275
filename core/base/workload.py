"""What a workload file says, loaded and checked: `core.base.workload_files` reads it from TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.base.records import Query


@dataclass(frozen=True, slots=True)
class Part:
    """What an item fans out into: an aspect (fixed in the file) or an entry of one of the item's list fields.

    `fields` are the entry's own data (a card's position and meaning); `query` is what a search stage asks for.
    """

    id: str
    title: str
    title_ko: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    query: Query | None = None


@dataclass(frozen=True, slots=True)
class PartKind:
    """A kind of part: `values` fixed in the file, or `source`, the list field of each item it comes from.

    title_from names the field of an entry that is its title (None: `title`, `name` or the id).
    """

    name: str
    values: tuple[Part, ...] = ()
    source: str | None = None
    title_from: str | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file: a system text (may be empty) and a user template with `{{placeholder}}`s."""

    name: str
    system: str
    user: str
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a workload.

    each: the part kind it runs per part of (None: once per item); after: the stages it needs; batch_size: parts per
    call (0: one for a model, all of an item's parts in one request for a search); model None: the run's model;
    fallback: models to try next; timeout_s: total deadline of one call, first_byte_s and idle_s those of a streamed
    answer's beginning and of its pauses (None: not set); attempts: tries in all;
    fallback_on_refusal: whether what one model refuses is asked of the next of its chain; skip_empty: parts
    without evidence cost no call; written: the keys that the file gives, where the stage came from one.
    """

    id: str
    kind: str
    each: str | None = None
    after: tuple[str, ...] = ()
    title: str = ""
    title_ko: str = ""
    prompt: str = ""
    batch_size: int = 0
    model: str | None = None
    fallback: tuple[str, ...] = ()
    max_tokens: int = 256
    temperature: float = 0.0
    timeout_s: float = 60.0
    first_byte_s: float | None = None
    idle_s: float | None = None
    attempts: int = 3
    skip_empty: bool = True
    fallback_on_refusal: bool = False
    written: frozenset[str] = field(default=frozenset(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload file. `sample` is the JSONL of sample items shipped with it; stages stand in topological order."""

    id: str
    title: str
    stages: tuple[Stage, ...]
    parts: Mapping[str, PartKind]
    prompts: Mapping[str, Prompt]
    title_ko: str = ""
    description: str = ""
    description_ko: str = ""
    item_kind: str = "restaurant"
    sample: Path | None = None
    max_concurrent: int | None = None
    path: Path | None = None

    def stage(self, stage_id: str) -> Stage:
        """The stage of that id; KeyError without one."""
        for stage in self.stages:
            if stage.id == stage_id:
                return stage
        raise KeyError(stage_id)
