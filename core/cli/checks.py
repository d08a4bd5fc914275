"""What the doctor tries: database, workloads, search, every endpoint. Each look is a check with its way out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.base.endpoints import EndpointConfig
from core.base.errors import BrigadeError
from core.cli.figures import seconds

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


def examine(settings: Settings, env: Mapping[str, str], *, warm: bool = False) -> list[Check]:
    """Every check in turn; none of them raises. warm: make a tiny call to each model, which is paid for."""
    return [*database(settings), *workloads(settings), *asyncio.run(_connections(settings, env, warm=warm))]


async def _connections(settings: Settings, env: Mapping[str, str], *, warm: bool) -> list[Check]:
    return [*await search(settings, env), *await endpoints(settings, env, warm=warm)]


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


async def endpoints(settings: Settings, env: Mapping[str, str], *, warm: bool = False) -> list[Check]:
    """Every endpoint; one that the default model does not use is only noted when it is broken."""
    from core.models import HttpTransport

    try:
        needed = {endpoint.name for endpoint in settings.endpoints_for(settings.model)}
    except BrigadeError as error:
        return [Check("model", PROBLEM, str(error))]
    transport = HttpTransport()
    try:
        found = [
            await _endpoint(
                e, settings.model if e.name in needed else "", env, transport, needed=e.name in needed, warm=warm
            )
            for e in settings.endpoints
        ]
    finally:
        await transport.aclose()
    return [check for checks in found for check in checks]


async def _endpoint(
    endpoint: EndpointConfig, model: str, env: Mapping[str, str], transport: HttpTransport, *, needed: bool, warm: bool
) -> list[Check]:
    """What an endpoint serves, and how it answers a tiny call where that is wanted."""
    from core.models import discover, serves

    name = f"endpoint {endpoint.name}{' (default)' if needed else ''}"
    if endpoint.kind == "practice":
        what = f"a practice server with simulated speed ({endpoint.preset}), started when a run needs it"
        return [Check(name, OK, what)]
    if endpoint.kind == "extractive":
        return [Check(name, OK, "embedded, no server needed")]
    found = await discover(endpoint, env, transport)
    broken = PROBLEM if needed else NOTE
    if not found.ok:
        return [Check(name, broken, f"{found.error} (after {seconds(found.latency_s)})")]
    place = endpoint.url or endpoint.function or "It"
    if model and not serves(endpoint, model, found):
        what = f"{place} answers but does not serve {model!r}; it serves {_some(found.models)}. Use --llm-model."
        return [Check(name, broken, what)]
    check = Check(name, OK, f"{place} answers in {seconds(found.latency_s)}; models: {_some(found.models)}")
    return [check, await _warmed(endpoint, model, found.models, env, transport, broken)] if warm else [check]


async def _warmed(
    endpoint: EndpointConfig,
    model: str,
    offered: tuple[str, ...],
    env: Mapping[str, str],
    transport: HttpTransport,
    broken: str,
) -> Check:
    """One tiny call of the model in use, of the first one that the endpoint lists, or of the only one it offers."""
    from core.models import warm_up

    name = f"warm-up {endpoint.name}"
    chosen = model or next(iter(endpoint.models), "") or (offered[0] if len(offered) == 1 else "")
    if not chosen:
        return Check(name, NOTE, "Which model is to be called? Name it with --llm-model or list it in the endpoint.")
    done = await warm_up(endpoint, chosen, env, transport)
    if not done.ok:
        return Check(name, broken, f"{chosen}: {done.error} (after {seconds(done.latency_s)})")
    first = "" if done.ttft_s is None else f", its first token after {seconds(done.ttft_s)}"
    pace = "" if done.tokens_per_s is None else f", {done.tokens_per_s:.0f} tokens/s"
    return Check(name, OK, f"{chosen} answered in {seconds(done.latency_s)}{first}{pace}")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (", ".join(names[:NAMED]) or "none") + more
