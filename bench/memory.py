"""Resident memory of a run over 20,000 items against one over 200: a sliding window keeps it flat.

Each run is a process of its own, with an instant model and searcher and everything recorded in SQLite.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

FEW, MANY = 200, 20_000


async def one(items: int) -> float:
    """The peak resident memory of a run, in MB."""
    from bench._world import Load, record_run
    from core.models import ExtractiveModel
    from core.pipeline.pool import single
    from core.pipeline.routes import Route, Unpriced
    from core.store import Store

    route = Route("bench", "extractive", ExtractiveModel(), Unpriced())

    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "bench.db")
        ran = await record_run(store, single(lambda _: route), Load(items, 8, 64, 0.0))
        store.close()
    return ran.rss_mb


def measure(items: int) -> float:
    """`one` in a fresh process."""
    done = subprocess.run([sys.executable, __file__, str(items)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """The ratio."""
    few, many = measure(FEW), measure(MANY)
    figures = {
        "bench": "memory",
        "rss_mb": {str(FEW): round(few, 1), str(MANY): round(many, 1)},
        "over_few": round(many / few, 3),
        "must": {"over_few": 1.3},
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(str(asyncio.run(one(int(sys.argv[1])))))
    else:
        main()
