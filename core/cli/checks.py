"""What the doctor tries: database, workloads, search, every endpoint. Each look is a check with its way out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.base.endpoints import EndpointConfig
from core.base.errors import BrigadeError

if TYPE_CHECKING:
    from core.base.settings import Settings
    from core.models import HttpTransport

OK, NOTE, PROBLEM = "ok", "note", "problem"
NAMED = 8


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `state` is ok, note (nothing a run needs) or problem; `detail` what was found or to do."""

    name: str
    state: str
    detail: str


def examine(settings: Settings, env: Mapping[str, str]) -> list[Check]:
    """Every check in turn; none of them raises."""
    return [*database(settings), *workloads(settings), *asyncio.run(_connections(settings, env))]


async def _connections(settings: Settings, env: Mapping[str, str]) -> list[Check]:
    return [*await search(settings, env), *await endpoints(settings, env)]


def database(settings: Settings) -> Iterator[Check]:
    """The database: there, readable, of our version, whole."""
    from core.store import Store

    if not settings.db.exists():
        yield Check("database", OK, f"{settings.db} is not there yet; the first import or run makes it.")
        return
    try:
        with Store.open(settings.db) as store:
            version, verdict = store.condition()
            items, runs = store.catalogue.count("restaurant"), len(store.runs.list(limit=1000))
    except BrigadeError as error:
        yield Check("database", PROBLEM, str(error))
        return
    if verdict != "ok":
        wrong = f"{settings.db} is damaged: {verdict}. Stop its runs and save it: sqlite3 {settings.db} .recover"
        yield Check("database", PROBLEM, wrong)
    else:
        yield Check("database", OK, f"{settings.db}, version {version}, whole; {items:,} restaurants, {runs:,} runs")


def workloads(settings: Settings) -> Iterator[Check]:
    """Every workload file: valid, or which line is wrong."""
    from core.base.workload_files import list_workloads, load_workload

    files = list_workloads(settings.workloads)
    if not files:
        yield Check("workloads", PROBLEM, f"There is no workload file in {settings.workloads}.")
    for name, path in files.items():
        try:
            stages = ", ".join(stage.id for stage in load_workload(path).stages)
            yield Check(f"workload {name}", OK, stages)
        except BrigadeError as error:
            yield Check(f"workload {name}", PROBLEM, str(error))


async def search(settings: Settings, env: Mapping[str, str]) -> list[Check]:
    """Embedder and index; an embedded index that has not been made yet is no fault."""
    from core.search import examine as examine_search

    new = settings.search.backend == "edge" and not settings.search.path.exists()
    found = await examine_search(settings.search, env)
    checks = []
    for finding in found:
        name = finding.name if finding.name == "embedder" else f"search {finding.name}"
        if new and not finding.ok and finding.name == "index":
            detail = f"{settings.search.path} is not there yet; the first import makes it."
            checks.append(Check(name, NOTE, detail))
        else:
            checks.append(Check(name, OK if finding.ok else PROBLEM, finding.detail))
    return checks


async def endpoints(settings: Settings, env: Mapping[str, str]) -> list[Check]:
    """Every endpoint; one that the default model does not use is only noted when it is broken."""
    from core.models import HttpTransport

    try:
        needed = settings.endpoint_for(settings.model).name
    except BrigadeError as error:
        return [Check("model", PROBLEM, str(error))]
    transport = HttpTransport()
    try:
        return [await _endpoint(e, settings, env, transport, needed=e.name == needed) for e in settings.endpoints]
    finally:
        await transport.aclose()


async def _endpoint(
    endpoint: EndpointConfig, settings: Settings, env: Mapping[str, str], transport: HttpTransport, *, needed: bool
) -> Check:
    name = f"endpoint {endpoint.name}{' (default)' if needed else ''}"
    try:
        return Check(name, OK, await _answer(endpoint, settings.model if needed else "", env, transport))
    except BrigadeError as error:
        return Check(name, PROBLEM if needed else NOTE, str(error))


async def _answer(endpoint: EndpointConfig, model: str, env: Mapping[str, str], transport: HttpTransport) -> str:
    """What an endpoint says when asked for its models; raises where it does not answer or lacks the model."""
    from core.models import HttpModel, open_model

    if endpoint.kind == "practice":
        return f"a practice server with simulated speed ({endpoint.preset}), started when a run needs it"
    client = open_model(endpoint, transport=transport, env=env)
    if not isinstance(client, HttpModel):
        return "embedded, no server needed"
    offered = await client.models()
    if model and offered and not client.serves(model, offered):
        msg = f"{endpoint.url} answers but does not serve {model!r}; it serves {_some(offered)}. Use --llm-model."
        raise BrigadeError(msg)
    return f"{endpoint.url} answers; models: {_some(offered)}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (", ".join(names[:NAMED]) or "none") + more
