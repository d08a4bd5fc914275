"""The values of an allocation: what each is called in the environment and in the store, and what it may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.base.setting_table import Parse, text, whole
from core.base.workload import Stage, Workload

PREFIX = "allocation."
NOTHING = "none"
_LONGEST = 200

Stored = Mapping[str, str]


def one_model(value: Any) -> str:
    """A model's name: a short text on one line, without commas, which part the names of a list."""
    name = text(value)
    if len(name) > _LONGEST or not name.isprintable() or "," in name:
        msg = f"must be a model's name: one line of up to {_LONGEST} characters without commas"
        raise ValueError(msg)
    return name


def models(value: Any) -> tuple[str, ...]:
    """Models to try in turn, parted by commas; `none` for none at all."""
    names = [] if text(value) == NOTHING else [one_model(name) for name in text(value).split(",")]
    return tuple(dict.fromkeys(names))


def temperature(value: Any) -> float:
    """A number from 0 to 2."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 2:
        msg = "must be a number from 0 to 2"
        raise ValueError(msg)
    return number


PARSERS: Mapping[str, Parse] = {
    "model": one_model,
    "max_tokens": whole(1),
    "temperature": temperature,
    "fallback": models,
    "max_concurrent": whole(1),
}
KEYS = tuple(PARSERS)


def as_text(value: Any) -> str:
    """A value as it is stored and shown; what is not set is ''."""
    if isinstance(value, tuple):
        return ",".join(value) or NOTHING
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def variable_name(workload: Workload, stage: Stage | None, key: str) -> str:
    """The environment variable of a workload's or a stage's value: upper case, `_` for everything else."""
    words = [workload.id, stage.id if stage else "", key]
    return "_".join("".join(c if c.isalnum() else "_" for c in word).upper() for word in words if word)


def setting_name(workload: str, stage: str, key: str) -> str:
    """The store's setting of a workload's ('' as the stage) or a stage's value."""
    return PREFIX + ".".join(word for word in (workload, stage, key) if word)


def sound(stored: Stored) -> tuple[dict[str, str], list[str]]:
    """The stored values that can be used, and what is wrong with the others: one sentence each."""
    good: dict[str, str] = {}
    problems: list[str] = []
    for name, raw in stored.items():
        key = name.rpartition(".")[2]
        try:
            if key not in PARSERS:
                msg = f"there is no {key!r}; there are {', '.join(KEYS)}"
                raise ValueError(msg)
            PARSERS[key](raw)
            good[name] = raw
        except ValueError as exc:
            problems.append(f"Setting {name} = {raw!r} in the database is ignored: {exc}.")
    return good, problems
