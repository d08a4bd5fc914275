"""Titles of an item's parts: an aspect's from the workload file, a drawn card's from the item itself."""

from __future__ import annotations

from collections.abc import Mapping

from core.base.views import ItemView
from core.base.workload import Workload
from core.ui.language import titled


def part_titles(workload: Workload | None, item: ItemView) -> dict[str, str]:
    """Part id -> title, over all kinds of parts of the workload."""
    titles: dict[str, str] = {}
    for kind in workload.parts.values() if workload else ():
        titles |= {p.id: titled(p.title, p.title_ko, p.id) for p in kind.values}
        entries = item.fields.get(kind.source or "")
        for entry in entries if isinstance(entries, list | tuple) else ():
            titles |= _entry(entry)
    return titles


def _entry(entry: object) -> dict[str, str]:
    """A list field's entry: its name or title, else its first two texts (`Present · The Fool`)."""
    if not isinstance(entry, Mapping):
        return {str(entry): str(entry)}
    told = [v for k, v in entry.items() if k != "id" and isinstance(v, str)]
    named = entry.get("title") or entry.get("name") or " · ".join(told[:2])
    key = str(entry.get("id", named))
    return {key: str(named or key)}
