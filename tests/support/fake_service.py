"""A service in memory, for the pages' tests: the same methods, views rich enough to look at, every command recorded.

Scenes: `full` (runs in every state), `empty` (nothing imported, nothing run), `hostile` (attack payloads wherever a
reviewer or a model could have written). The running run moves with the clock, so that live parts have life.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, Any

from core.base.endpoints import EndpointConfig
from core.base.errors import RunError, UnknownError
from core.base.records import Citation, Evidence, Item, ItemStatus, Review, RunStatus
from core.base.views import (
    AttemptView,
    Bucket,
    ControlView,
    GateSample,
    ItemPage,
    ItemView,
    ResultView,
    RunSnapshot,
    RunView,
    StageStats,
)
from core.base.workload import Stage, Workload
from tests.support import fake_world as world
from tests.support.fake_again import FakeAgain
from tests.support.fake_ahead import FakeAhead
from tests.support.fake_configuring import FakeConfiguring
from tests.support.fake_sweeps import FakeSweeps
from tests.support.fake_tuning import FakeTuning

MODELS = (("practice-small", "practice"), ("practice-large", "practice"), ("extractive", "embedded"))
ENDPOINTS = (
    EndpointConfig("practice", "practice", models=("practice-small", "practice-large")),
    EndpointConfig("embedded", "extractive", models=("extractive",)),
)
DAY = 86_400.0
# id, workload, status, reason, hours ago, selected, done, failed, refused, no_reviews, cost
RUNS: tuple[tuple[str, str, str, str, float, int, int, int, int, int, str | None], ...] = (
    ("run-live", "restaurant-reviews", "running", "", 0.0, 240, 0, 2, 1, 3, "0"),
    ("run-done", "restaurant-reviews", "finished", "", 3.0, 240, 231, 4, 2, 3, "1.8421"),
    ("run-cards", "celtic-cross", "finished", "", 5.0, 12, 12, 0, 0, 0, None),
    (
        "run-paused",
        "restaurant-reviews",
        "paused",
        "api.example.com answered 401: no such key. Check the key in the endpoint's key_env.",
        8.0,
        240,
        96,
        0,
        0,
        1,
        "0.7310",
    ),
    (
        "run-budget",
        "restaurant-reviews",
        "budget",
        "The budget of 0.50 USD is reached: 0.498700 spent, 0.001200 in flight.",
        26.0,
        240,
        64,
        0,
        0,
        1,
        "0.4987",
    ),
    (
        "run-crash",
        "restaurant-reviews",
        "crashed",
        "the process 4711 on host kitchen is gone",
        49.0,
        240,
        120,
        1,
        0,
        2,
        "0.9120",
    ),
    ("run-stopped", "restaurant-reviews", "cancelled", "Cancelled by dana.", 72.0, 240, 33, 0, 0, 0, "0.2411"),
)


@dataclass(frozen=True, slots=True)
class FakeSettings:
    """The settings the pages read."""

    search_limit: int = 8
    llm_limit: int = 16
    model: str = "practice-small"
    endpoints: tuple[EndpointConfig, ...] = ENDPOINTS


class FakeService(FakeConfiguring, FakeSweeps, FakeTuning, FakeAhead, FakeAgain):
    """The dashboard's service without an engine; `sent` holds every command in order."""

    def __init__(self, scene: str = "full", *, clock: Callable[[], float] = time.time) -> None:
        self.scene = scene
        self.clock = clock
        self.opened = clock()
        self.settings = FakeSettings()
        self.sent: list[tuple[Any, ...]] = []
        self.closed = False
        self.refuse: str | None = None
        self.hostile = scene == "hostile"
        self._restaurants = () if scene == "empty" else world.restaurants(hostile=self.hostile)
        self._readings = () if scene == "empty" else world.readings()
        self._status: dict[str, str] = {}
        self.parents: dict[str, str] = {}
        self._limits = {"search": 8, "llm": 16}
        self._controls: list[ControlView] = self._first_controls()
        self._runs = [] if scene == "empty" else list(RUNS)

    def __repr__(self) -> str:
        return f"<FakeService {self.scene}, {len(self._runs)} runs, {len(self.sent)} commands>"

    def close(self) -> None:
        self.closed = True

    # workloads and items

    def workloads(self) -> tuple[Workload, ...]:
        return world.workloads()

    def workload_problems(self) -> tuple[str, ...]:
        return ("data/workloads/broken.toml:3: unknown key 'stagez'; did you mean 'stage'?",) if self.hostile else ()

    def workload(self, name: str) -> Workload:
        found = {w.id: w for w in world.workloads()}
        if name not in found:
            msg = f"there is no workload {name!r}; the known ones are {', '.join(found)}"
            raise UnknownError(msg)
        return found[name]

    def items(
        self,
        workload: str,
        *,
        search: str = "",
        filters: Mapping[str, str] = {},
        order: str = "name",
        descending: bool = False,
        limit: int = 50,
        offset: int = 0,
    ) -> ItemPage:
        found = [i for i in self._catalogue(workload) if self._matches(i, search, filters)]
        found.sort(key=lambda i: i.reviews if order == "reviews" else i.name, reverse=descending)
        rows = tuple(ItemView(i.id, i.name, i.kind, i.fields, i.reviews) for i in found[offset : offset + limit])
        return ItemPage(rows, len(found))

    def item_ids(self, workload: str, *, search: str = "", filters: Mapping[str, str] | None = None) -> list[str]:
        return [i.id for i in self._catalogue(workload) if self._matches(i, search, filters or {})]

    def facets(self, workload: str, field: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        for item in self._catalogue(workload):
            value = item.fields.get(field)
            if isinstance(value, str):
                counts[value] = counts.get(value, 0) + 1
        return counts

    def ensure_samples(self, progress: Callable[[str, float], None] | None = None) -> int:
        self.sent.append(("ensure_samples",))
        if progress is not None:
            progress("restaurants", 1.0)
        return 0

    def models(self) -> list[tuple[str, str]]:
        return list(MODELS)

    def review(self, restaurant_id: str, review_id: str) -> Review | None:
        return world.review(restaurant_id, review_id, hostile=self.hostile)

    def _catalogue(self, workload: str) -> tuple[Item, ...]:
        return self._readings if workload == "celtic-cross" else self._restaurants

    @staticmethod
    def _matches(item: Item, search: str, filters: Mapping[str, str]) -> bool:
        text = f"{item.id} {item.name} {item.fields}".lower()
        return search.lower() in text and all(item.fields.get(k) == v for k, v in filters.items())

    # runs

    def usual_limit(self, resource: str) -> int:
        return int(getattr(self.settings, f"{resource}_limit"))

    def start(
        self,
        workload: str,
        items: str | Sequence[str],
        *,
        llm_limit: int | str | None = None,
        search_limit: int | str | None = None,
        slo_p95: float | None = None,
        model: str | None = None,
        stage_models: Mapping[str, str] = {},
        window: int | None = None,
        budget: Decimal | None = None,
        cache: bool = False,
        who: str,
    ) -> str:
        if self.refuse:
            raise RunError(self.refuse)
        target = () if slo_p95 is None else (slo_p95,)
        kept = ("cache",) if cache else ()
        self.sent.append(("start", workload, items, llm_limit, search_limit, *target, model, budget, *kept, who))
        run_id = f"run-new-{len(self._runs)}"
        count = self._count(workload, items)
        self._runs.insert(0, (run_id, workload, "running", "", 0.0, count, 0, 0, 0, 0, "0"))
        return run_id

    def resume(
        self, run_id: str, *, who: str, retry_failed: bool = True, changes: Mapping[str, Any] | None = None
    ) -> None:
        self.sent.append(("resume", run_id, who, *(changes or {}).items()))
        self._status[run_id] = "running"

    def control(self, run_id: str, action: str, new: str = "", *, who: str, reason: str = "") -> int:
        self.sent.append(("control", run_id, action, new, who, reason))
        old = str(self._limits.get(action.removesuffix("_limit"), ""))
        if action.endswith("_limit"):
            self._limits[action.removesuffix("_limit")] = int(new) if new.isdigit() else 16
        after = {"pause": "paused", "resume": "running", "cancel": "cancelled"}.get(action)
        if after:
            self._status[run_id] = after
        now = self.clock()
        number = len(self._controls) + 1
        self._controls.append(ControlView(number, run_id, now, who, action, old, new, reason, now + 0.1, "applied"))
        return number

    def runs(self, *, limit: int = 50, offset: int = 0, workload: str | None = None) -> list[RunView]:
        found = [self.run(r[0]) for r in self._runs if workload in (None, r[1])]
        return found[offset : offset + limit]

    def run(self, run_id: str) -> RunView:
        row = next((r for r in self._runs if r[0] == run_id), None)
        if row is None:
            msg = (
                f"there is no run {run_id!r}; the last ones are {', '.join(r[0] for r in self._runs[:5]) or 'none yet'}"
            )
            raise UnknownError(msg)
        return self._view(row)

    def snapshot(self, run_id: str) -> RunSnapshot:
        run = self.run(run_id)
        live = run.status == RunStatus.RUNNING
        gates = {s.resource: s for s in self.samples(run_id)[-2:]}
        rates = {"search": 1.1, "llm": 4.4 + 0.3 * math.sin(self.clock())} if live else {"search": 0.0, "llm": 0.0}
        eta = run.pending / 1.1 if live else None
        tokens = 512.0 if live else 0.0
        stages = self.stages(run_id)
        bottleneck = ("llm", 0.94, 0.06) if run.done else None
        return RunSnapshot(run, gates, 1.1 if live else 0.0, rates, tokens, eta, bottleneck, stages, self._of(run_id))

    def run_items(
        self,
        run_id: str,
        *,
        search: str = "",
        status: ItemStatus | None = None,
        flag: str | None = None,
        order: str = "position",
        descending: bool = False,
        limit: int = 50,
        offset: int = 0,
    ) -> ItemPage:
        run = self.run(run_id)
        found = [
            v
            for v in self._run_rows(run)
            if search.lower() in f"{v.id} {v.name}".lower()
            and status in (None, v.status)
            and (flag is None or flag in self._flags(v.id))
        ]
        return ItemPage(tuple(found[offset : offset + limit]), len(found))

    @staticmethod
    def _flags(item_id: str) -> tuple[str, ...]:
        """Every tenth restaurant has a summary of a fallback model, and every item a text that was cut."""
        return ("truncated", "fallback") if item_id.endswith("0") else ("truncated",)

    def _run_rows(self, run: RunView) -> list[ItemView]:
        counts = (
            (ItemStatus.FAILED, run.failed),
            (ItemStatus.REFUSED, run.refused),
            (ItemStatus.NO_REVIEWS, run.no_reviews),
        )
        ends = [
            s for s, n in ((ItemStatus.DONE, run.done), *counts, (ItemStatus.PENDING, run.pending)) for _ in range(n)
        ]
        why = world.HOSTILE[0] if self.hostile else "504 from practice after 3 attempts: upstream timed out"
        return [
            ItemView(
                i.id,
                i.name,
                i.kind,
                i.fields,
                i.reviews,
                s,
                n * 0.9 if s == "done" else None,
                why if s == "failed" else None,
            )
            for n, (i, s) in enumerate(zip(self._catalogue(run.workload), ends, strict=False))
        ]

    def results(self, run_id: str, item_id: str) -> list[ResultView]:
        run = self.run(run_id)
        item = next((i for i in self._catalogue(run.workload) if i.id == item_id), None)
        if item is None:
            msg = f"item {item_id!r} is not part of {run_id}"
            raise UnknownError(msg)
        return self._reading(item) if run.workload == "celtic-cross" else self._summaries(item)

    def _summaries(self, item: Item) -> list[ResultView]:
        rows = []
        for part in world.SUMMARIES:
            found = world.evidence(item.id, part, hostile=self.hostile)
            rows.append(self._result(item, "search", part, "", found))
            rows.append(self._result(item, "aspect_summary", part, self._text(world.SUMMARIES[part]), found))
        return [*rows, self._result(item, "total_summary", "", self._text(world.TOTAL), ())]

    def _reading(self, item: Item) -> list[ResultView]:
        told = "This card asks for patience: what was begun in haste settles when it is given a season."
        rows = [
            self._result(item, "card_interpretation", c["id"], f"{c['card']}. {told}", ()) for c in item.fields["cards"]
        ]
        for stage in ("overall_reading", "relationships", "advice"):
            rows.append(self._result(item, stage, "", f"{told} The cards around it agree.", ()))
        return rows

    def _text(self, text: str) -> str:
        return f"{text} {' '.join(world.HOSTILE)}" if self.hostile else text

    def _result(self, item: Item, stage: str, part: str, text: str, found: tuple[Evidence, ...]) -> ResultView:
        cut = text.find(". ") + 1
        ids = tuple(dict.fromkeys(e.review_id for e in found))
        cited = (Citation(0, cut, ids[:2]), Citation(cut + 1, len(text), ids[1:3])) if text and ids else ()
        flags = self._flags(item.id) if (part, stage) == ("food", "aspect_summary") else ()
        flags = (*flags, "reused") if stage == "search" else flags
        cost = Decimal("0.0019") if text and stage != "search" else None
        model = None if stage == "search" else "practice-small"
        return ResultView(item.id, item.name, stage, part, "done", text, found, cited, flags, model, cost)

    # measures

    def stages(self, run_id: str) -> tuple[StageStats, ...]:
        run = self.run(run_id)
        return tuple(self._stats(run, s, n) for n, s in enumerate(self.workload(run.workload).stages) if run.done)

    def _stats(self, run: RunView, stage: Stage, n: int) -> StageStats:
        calls = run.done * (3 if stage.each and stage.kind == "llm" else 1)
        base = 0.04 if stage.kind == "search" else 0.7 + 0.25 * n
        priced = stage.kind == "llm" and run.cost_usd is not None
        cost = Decimal(calls) * Decimal("0.0019") if priced else None
        tokens = calls if stage.kind == "llm" else 0
        model = "" if stage.kind == "search" else ("practice-large" if n == 2 else "practice-small")
        return StageStats(
            stage.id, stage.kind, model, calls + 7, calls, calls, 3, 4 if n else 0, 7,
            base, base * 2.1, base * 3.4, base * 0.4, base * 1.7, base * 0.3 if n else None, base * 0.6 if n else None,
            calls * base, tokens * 820, tokens * 96, cost, 0 if priced or stage.kind == "search" else calls,
        )  # fmt: skip

    def buckets(self, run_id: str) -> tuple[Bucket, ...]:
        run = self.run(run_id)
        slices = range(int(min(run.wall_s, 300) // 5)) if run.done else range(0)
        stages = self.workload(run.workload).stages
        return tuple(self._bucket(i * 5.0, s, n) for i in slices for n, s in enumerate(stages))

    @staticmethod
    def _bucket(t: float, stage: Stage, n: int) -> Bucket:
        calls = round((6, 14, 5, 4)[n] * (1 + 0.3 * math.sin(t / 17 + n)))
        base = 0.04 if stage.kind == "search" else 0.7 + 0.2 * n
        cost = Decimal(calls) * Decimal("0.0019") if stage.kind == "llm" else None
        return Bucket(
            t, 5.0, stage.id, stage.kind, "practice-small", calls, calls, 0, 0, base, base * 2, calls * 96, cost
        )

    def samples(self, run_id: str) -> tuple[GateSample, ...]:
        run = self.run(run_id)
        seconds = int(min(max(run.wall_s, 1), 300)) if run.done else 1
        return tuple(self._sample(run, float(t), r) for t in range(seconds) for r in ("search", "llm"))

    def _sample(self, run: RunView, t: float, resource: str) -> GateSample:
        limit = self._limits[resource] if t > 60 else 8
        if run.status != RunStatus.RUNNING and t > run.wall_s - 2:
            return GateSample(t, resource, limit, 0, 0, 0.0, 0.0, 0)
        use = limit if resource == "llm" else 1 + int(1.4 * (1 + math.sin(t / 9)))
        use = max(0, min(limit, use - (int(t) % 11 == 0)))
        waiting = 22 + int(6 * math.sin(t / 13)) if resource == "llm" else 0
        return GateSample(t, resource, limit, use, waiting, use - 0.2, 0.94 if resource == "llm" else 0.06, limit)

    def timeline(self, run_id: str, item_id: str) -> list[AttemptView]:
        run = self.run(run_id)
        if run.workload == "celtic-cross":
            return [
                self._attempt(i, item_id, "card_interpretation", (f"c{i * 3 + 1}",), 0.1, 1.1 + i / 5) for i in range(4)
            ]
        rows = [self._attempt(0, item_id, "search", ("service", "price", "food"), 0.2, 0.06)]
        for n, part in enumerate(("service", "price", "food")):
            rows.append(self._attempt(n + 1, item_id, "aspect_summary", (part,), 0.5 + 0.2 * n, 0.9 + n * 0.3))
        again = self._attempt(5, item_id, "aspect_summary", ("food",), 2.4, 0.8, number=2)
        return [*rows, again, self._attempt(6, item_id, "total_summary", (), 3.6, 1.2)]

    def errors(self, run_id: str, limit: int = 20) -> list[AttemptView]:
        run = self.run(run_id)
        why = world.HOSTILE[3] if self.hostile else "504 from practice: upstream timed out"
        count = min(run.failed, limit)
        return [
            self._attempt(90 + i, f"r{i:04d}", "aspect_summary", ("food",), 9.0, 2.0, error=why) for i in range(count)
        ]

    @staticmethod
    def _attempt(
        n: int,
        item: str,
        stage: str,
        parts: tuple[str, ...],
        t: float,
        seconds: float,
        *,
        number: int = 1,
        error: str | None = None,
    ) -> AttemptView:
        llm = stage != "search"
        return AttemptView(
            n, item, stage, parts, number, "llm" if llm else "search", "practice", "practice-small" if llm else "",
            "failed" if error else "ok", 12.0 + t, 0.15 + 0.1 * n % 0.7, seconds, seconds / 4 if llm else None,
            820 if llm else None, 96 if llm else None, Decimal("0.0019") if llm else None, 504 if error else 200, error,
        )  # fmt: skip

    def cost_by_item(self, run_id: str, limit: int = 50) -> list[tuple[str, str, Decimal]]:
        run = self.run(run_id)
        if not run.cost_usd:
            return []
        dear = sorted(self._restaurants, key=lambda i: -i.reviews)[: min(limit, run.done)]
        return [(i.id, i.name, Decimal("0.0042") + Decimal(i.reviews) / 100_000) for i in dear]

    def controls(self, run_id: str) -> list[ControlView]:
        return list(self._of(run_id))

    def measures(self, run_id: str) -> dict[str, Any]:
        run = self.run(run_id)
        return {
            "run_id": run.id, "status": str(run.status), "wall_s": run.wall_s,
            "first_result_s": 2.4, "median_result_s": 96.0,
            "calls": {"search": run.done, "llm": run.done * 4}, "retries": 21, "rate_limited": 8, "fallbacks": 2,
            "tokens": {"input": run.done * 3280, "output": run.done * 384}, "time_saved_s": run.done * 3.1,
            "cost_usd": None if run.cost_usd is None else float(run.cost_usd),
            "peak": {"search": 5, "llm": 16}, "limit": dict(self._limits),
        }  # fmt: skip

    def export(self, run_id: str, fmt: str, out: IO[bytes]) -> int:
        self.sent.append(("export", run_id, fmt))
        return out.write(b"item_id,item_name\n")

    def _count(self, workload: str, items: str | Sequence[str]) -> int:
        everything = len(self._catalogue(workload))
        if not isinstance(items, str):
            return len(items)
        return everything if items == "all" else min(int(items), everything)

    def _of(self, run_id: str) -> tuple[ControlView, ...]:
        return tuple(c for c in self._controls if c.run_id == run_id)

    def _first_controls(self) -> list[ControlView]:
        why = world.HOSTILE[2] if self.hostile else "GPU 2 joined"
        at = self.opened
        return [
            ControlView(1, "run-done", at - 10_740, "dana", "llm_limit", "8", "16", why, at - 10_739, "applied"),
            ControlView(2, "run-done", at - 10_660, "minsu", "search_limit", "8", "4", "", at - 10_659, "applied"),
            ControlView(3, "run-live", at - 40, "dana", "llm_limit", "8", "16", why, at - 39, "applied"),
        ]

    def _view(self, row: tuple[Any, ...]) -> RunView:
        run_id, workload, status, reason, hours, selected, done, failed, refused, none, cost = row
        status = self._status.get(run_id, status)
        started = self.opened - hours * 3600 - (100 if hours == 0 and run_id == "run-live" else 0)
        wall = 218.0 if hours else self.clock() - started
        if not hours:
            done = max(0, min(selected - failed - refused - none, int(wall * 1.1)))
            cost = str(Decimal(done) * Decimal("0.0076"))
        reason = f"{reason} {world.HOSTILE[0]}" if self.hostile and reason else reason
        ended = None if status in ("running", "paused") else started + wall
        return RunView(
            run_id, workload, RunStatus(status), reason, started - 1, started, ended,
            {"stages": {"total_summary": {"model": "practice-large"}}, "budget_usd": "0.50",
             "parent": self.parents.get(run_id, "")},
            selected, done, failed, refused, none,
            selected - done - failed - refused - none, wall,
            None if cost is None else Decimal(cost), 0 if cost else done * 7,
            self._limits["search"], self._limits["llm"], "kitchen:4711", status == "running",
        )  # fmt: skip
