"""Everything the screen says, in English and Korean: one TOML catalogue for each, keys like `run.start`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

__all__ = ["LANGUAGES", "catalogue", "knows", "pick", "translate"]

LANGUAGES: Mapping[str, str] = {"en": "English", "ko": "한국어"}


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """The texts of one language by flat key; KeyError for a language that is not in `LANGUAGES`."""
    if language not in LANGUAGES:
        raise KeyError(language)
    with (Path(__file__).parent / f"{language}.toml").open("rb") as file:
        return dict(_flat(tomllib.load(file)))


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def translate(language: str, key: str, **params: object) -> str:
    """The text of a key with its `{placeholders}` filled; KeyError for an unknown key, so that tests find it."""
    return catalogue(language)[key].format(**params)


def knows(key: str) -> bool:
    """Whether the catalogues have that key."""
    return key in catalogue("en")


def pick(languages: str | None) -> str:
    """The language to begin with, from a browser's locale such as `ko-KR`."""
    return "ko" if (languages or "").lower().startswith("ko") else "en"
