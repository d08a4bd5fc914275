"""An item's stages expanded into nodes and edges: a node is ready when the nodes whose parts it needs are done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from core.base.errors import UsageError
from core.base.records import Item, Query
from core.base.workload import Part, PartKind, Stage, Workload
from core.base.workload_files import PART_ID

MOST_PARTS = 1000
_TITLE = 120
_KEPT_PLANS = 64


@dataclass(frozen=True, slots=True)
class Node:
    """One call of one stage.

    parts: what it works on (empty: once per item); needs: indexes of the nodes before it; depth: nodes on the
    longest way from a start; height: nodes still to come after it on the longest way (0 for the last).
    """

    index: int
    stage: Stage
    parts: tuple[Part, ...]
    needs: tuple[int, ...]
    depth: int
    height: int


@dataclass(frozen=True, slots=True)
class Plan:
    """An item's nodes in topological order; feeds: for each node the indexes of those that need it."""

    nodes: tuple[Node, ...]
    feeds: tuple[tuple[int, ...], ...]


_fixed: dict[int, tuple[Workload, Plan]] = {}


def expand(workload: Workload, item: Item) -> Plan:
    """The plan of an item; the same object for every item where all parts are fixed in the file.

    UsageError names the item and the field whose list cannot be used.
    """
    known = _fixed.get(id(workload))
    if known is not None and known[0] is workload:
        return known[1]
    plan = _plan(workload, {kind.name: parts_of(kind, item) for kind in _used(workload)})
    if all(kind.source is None for kind in _used(workload)):
        _keep(workload, plan)
    return plan


def parts_of(kind: PartKind, item: Item) -> tuple[Part, ...]:
    """An item's parts of one kind: fixed in the file, or the entries of one of the item's list fields."""
    if kind.source is None:
        return kind.values
    entries = item.fields.get(kind.source)
    if not isinstance(entries, list | tuple) or not 0 < len(entries) <= MOST_PARTS:
        _refuse(item, kind, f"must be a list of 1 to {MOST_PARTS} entries, but {_what(entries)}")
    parts = tuple([_part(item, kind, number, entry) for number, entry in enumerate(entries, 1)])
    if len({part.id for part in parts}) < len(parts):
        ids = [part.id for part in parts]
        _refuse(item, kind, f"has the id {next(i for i in ids if ids.count(i) > 1)!r} twice")
    return parts


def _used(workload: Workload) -> list[PartKind]:
    return [workload.parts[name] for name in dict.fromkeys(s.each for s in workload.stages if s.each)]


def _keep(workload: Workload, plan: Plan) -> None:
    """Remember a plan by its workload, which is held on to so that its identity stays its own."""
    if len(_fixed) >= _KEPT_PLANS:
        _fixed.clear()
    _fixed[id(workload)] = (workload, plan)


def _part(item: Item, kind: PartKind, number: int, entry: Any) -> Part:
    """A part of an entry: a table with an id (its place, 1-based, where it has none), or a plain text."""
    if not isinstance(entry, Mapping):
        entry = {"id": entry}
    part_id = str(entry.get("id", number))
    if not PART_ID.fullmatch(part_id):
        what = "up to 64 characters without spaces, quotes, brackets and commas are possible"
        _refuse(item, kind, f"has the id {part_id[:80]!r} in entry {number}: {what}")
    title = _title(kind, entry, part_id)
    fields = {key: value for key, value in entry.items() if key != "id"}
    return Part(part_id, title, str(entry.get("title_ko") or ""), fields, Query(part_id, (title,)))


def _title(kind: PartKind, entry: Mapping[str, Any], part_id: str) -> str:
    names = (kind.title_from or "title", "title", "name")
    for name in names:
        if entry.get(name):
            return str(entry[name])[:_TITLE]
    return part_id


def _what(entries: object) -> str:
    if entries is None:
        return "is missing"
    return f"has {len(entries)}" if isinstance(entries, list | tuple) else f"is {type(entries).__name__}"


def _refuse(item: Item, kind: PartKind, why: str) -> NoReturn:
    msg = f"Item {item.id!r}: field {kind.source!r} {why}. Correct the item's data."
    raise UsageError(msg)


def _plan(workload: Workload, parts: Mapping[str, Sequence[Part]]) -> Plan:
    """The calls stage by stage, what each waits for, and how far it is from both ends."""
    calls: list[tuple[Stage, tuple[Part, ...]]] = []
    needs: list[tuple[int, ...]] = []
    of_stage: dict[str, list[int]] = {}
    for stage in workload.stages:
        own = of_stage[stage.id] = []
        for chunk in _chunks(stage, parts):
            needs.append(tuple([n for name in stage.after for n in of_stage[name] if _meet(calls[n][1], chunk)]))
            own.append(len(calls))
            calls.append((stage, chunk))
    feeds = _feeding(needs)
    depths, heights = _longest(needs), _longest(feeds, backwards=True)
    return Plan(tuple([Node(n, *call, needs[n], depths[n], heights[n]) for n, call in enumerate(calls)]), feeds)


def _chunks(stage: Stage, parts: Mapping[str, Sequence[Part]]) -> Iterator[tuple[Part, ...]]:
    if stage.each is None:
        yield ()
        return
    own = parts[stage.each]
    size = stage.batch_size or (len(own) if stage.kind == "search" else 1)
    for start in range(0, len(own), size):
        yield tuple(own[start : start + size])


def _meet(before: Sequence[Part], chunk: Sequence[Part]) -> bool:
    """Whether a call on `chunk` waits for one on `before`: either is once per item, or they share a part."""
    return not before or not chunk or any(part in before for part in chunk)


def _feeding(needs: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    feeds: list[list[int]] = [[] for _ in needs]
    for index, before in enumerate(needs):
        for other in before:
            feeds[other].append(index)
    return tuple([tuple(after) for after in feeds])


def _longest(edges: Sequence[Sequence[int]], *, backwards: bool = False) -> list[int]:
    """For each node the number of edges on the longest way along `edges`, which all point to one side."""
    ways = [0] * len(edges)
    for index in reversed(range(len(edges))) if backwards else range(len(edges)):
        ways[index] = max([ways[n] + 1 for n in edges[index]], default=0)
    return ways
