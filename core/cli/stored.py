"""What the database adds to the configuration, for the doctor: endpoints, allocations, and what of it is ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.base.errors import BrigadeError
from core.cli.allocating import row
from core.cli.checks import NOTE, PROBLEM, Check
from core.cli.output import print_table, print_text

if TYPE_CHECKING:
    from core.base.settings import Settings
    from core.base.views import AllocationView
    from core.directions import Told

COLUMNS = ("stage", "key", "value", "from", "instead of")


@dataclass(frozen=True, slots=True)
class Stored:
    """The settings of this moment, every allocation with its source, and what was found on the way."""

    settings: Settings
    allocations: tuple[AllocationView, ...]
    checks: tuple[Check, ...]


def look(start: Settings, env: Mapping[str, str]) -> Stored:
    """Read what operators keep in the database; without one there is only what the program was started with."""
    from core.base.stored_endpoints import settings_now

    try:
        told = _told(start, env)
        settings = settings_now(start, told.endpoints, env)
        return Stored(settings, tuple(_views(settings, told)), (*_ignored(start, told, env), *_unused(settings)))
    except BrigadeError as error:
        return Stored(start, (), (Check("allocations", PROBLEM, str(error)),))


def _told(start: Settings, env: Mapping[str, str]) -> Told:
    from core.directions import Notices, Told
    from core.store import Store

    if not start.db.exists():
        return Told()
    with Store.open(start.db) as store:
        return Notices(store, start, env).read()


def _views(settings: Settings, told: Told) -> Iterator[AllocationView]:
    from core.base.allocation import Layers
    from core.base.allocation_keys import sound
    from core.base.workload_files import list_workloads, load_workload

    for path in list_workloads(settings.workloads).values():
        try:
            workload = load_workload(path)
        except BrigadeError:  # the check of the workloads says what is wrong with it
            continue
        yield from Layers(workload, settings, sound(told.allocation)[0]).views()


def _unused(settings: Settings) -> Iterator[Check]:
    """Variables that begin like a workload's and belong to none of its stages: misspelt, most likely."""
    from core.base.allocation_keys import KEYS, variable_name
    from core.base.workload_files import list_workloads, load_workload

    meant, words = set[str](), []
    for path in list_workloads(settings.workloads).values():
        try:
            workload = load_workload(path)
        except BrigadeError:
            continue
        words.append(variable_name(workload, None, ""))
        meant |= {variable_name(workload, stage, key) for stage in (None, *workload.stages) for key in KEYS}
    for name in settings.variables:
        if name not in meant and name.startswith(tuple(f"{word}_" for word in words)):
            yield Check("allocations", NOTE, f"{name} is set, but no stage has that name: nothing goes by it.")


def _ignored(start: Settings, told: Told, env: Mapping[str, str]) -> Iterator[Check]:
    from core.base.allocation_keys import sound
    from core.base.stored_endpoints import placed

    for problem in sound(told.allocation)[1]:
        yield Check("allocations", NOTE, problem)
    for one in placed(start, told.endpoints, env):
        if one.problem:
            yield Check(f"endpoint {one.endpoint.name}", NOTE, f"{one.problem} What the database says is ignored.")


def print_allocations(views: tuple[AllocationView, ...]) -> None:
    """Every value of every stage, one table per workload."""
    for workload in dict.fromkeys(view.workload for view in views):
        print_table(f"Allocation of {workload}", COLUMNS, [row(v)[1:] for v in views if v.workload == workload])
        print_text("")
