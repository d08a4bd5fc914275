"""How the stages of a workload stand to each other: every reference exists, nothing waits for itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from core.base.toml_tables import Table, suggestion
from core.base.workload import PartKind, Stage


def in_order(tables: Sequence[Table], stages: Sequence[Stage], parts: Mapping[str, PartKind]) -> tuple[Stage, ...]:
    """The stages in topological order, those that are ready together in the file's order.

    The tables are the stages' own, for the lines of errors.
    """
    by_id = _by_id(tables, stages)
    for table, stage in zip(tables, stages, strict=True):
        _check_after(table, stage, by_id)
        _check_search(table, stage, parts)
    ordered: list[Stage] = []
    while len(ordered) < len(stages):
        done = {stage.id for stage in ordered}
        ready = [stage for stage in stages if stage.id not in done and done.issuperset(stage.after)]
        if not ready:
            _fail_on_cycle(tables, stages, done)
        ordered += ready
    return tuple(ordered)


def _by_id(tables: Sequence[Table], stages: Sequence[Stage]) -> dict[str, Stage]:
    by_id: dict[str, Stage] = {}
    for table, stage in zip(tables, stages, strict=True):
        if stage.id in by_id:
            table.fail("id", f"stage id {stage.id!r} is there twice. Give each stage its own id.")
        by_id[stage.id] = stage
    return by_id


def _check_after(table: Table, stage: Stage, by_id: Mapping[str, Stage]) -> None:
    for other in stage.after:
        if other not in by_id:
            table.fail("after", f"stage {stage.id!r} is after {other!r}, which is no stage{suggestion(other, by_id)}")
        before = by_id[other].each
        if stage.each and before and before != stage.each:
            table.fail(
                "each" if "each" in table else "after",
                f"stage {stage.id!r} is each {stage.each!r} after {other!r}, which is each {before!r}. "
                f"Put a stage without `each` between them.",
            )
    if len(set(stage.after)) < len(stage.after):
        table.fail("after", f"stage {stage.id!r} names a stage twice in after = {list(stage.after)}.")


def _check_search(table: Table, stage: Stage, parts: Mapping[str, PartKind]) -> None:
    """A search stage asks for parts, and a part that is fixed in the file must say what to ask."""
    if stage.kind != "search":
        return
    if stage.each is None:
        table.fail("", f"search stage {stage.id!r} needs each = ... : a search asks for parts.")
    if stage.after:
        table.fail("after", f"search stage {stage.id!r} cannot be after another stage: a query is fixed in the file.")
    for part in parts[stage.each].values:
        if part.query is None:
            message = f'part {part.id!r} has no query for search stage {stage.id!r}. Add query = "..." to it.'
            table.fail("each", message)


def _fail_on_cycle(tables: Sequence[Table], stages: Sequence[Stage], done: set[str]) -> None:
    left = {stage.id: stage for stage in stages if stage.id not in done}
    ring = list(_ring(left))
    table = next(t for t, s in zip(tables, stages, strict=True) if s.id == ring[0])
    table.fail("after", f"stages wait for each other: {' -> '.join([*ring, ring[0]])}. Take one out of `after`.")


def _ring(left: Mapping[str, Stage]) -> Iterator[str]:
    """A cycle among stages of which each waits for another one left, from its first stage in the file's order."""
    trail: list[str] = []
    name = next(iter(left))
    while name not in trail:
        trail.append(name)
        name = next(other for other in left[name].after if other in left)
    ring = trail[trail.index(name) :]
    first = min(range(len(ring)), key=lambda i: list(left).index(ring[i]))
    yield from ring[first:] + ring[:first]
