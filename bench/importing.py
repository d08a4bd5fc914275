"""How fast reviews get into catalogue and index, against embedding them in one process and nothing else.

Prints one JSON line. Reviews are made from the samples, each sentence its own, so that no cache helps; those of the
folder BRIGADE_EVAL_DATA (reviews_*.jsonl) are taken instead where it is set. The import runs in a process of its own,
from its start to its end.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from core.base.endpoints import SearchConfig  # noqa: E402
from core.base.records import Review  # noqa: E402
from core.intake import import_file  # noqa: E402
from core.search import load_embedder, prepare  # noqa: E402
from core.store import Store  # noqa: E402

MADE = 4000
BASELINE = 1500
BATCH = 250


def read(folder: Path) -> list[dict[str, Any]]:
    """All reviews of a folder."""
    return [json.loads(line) for path in sorted(folder.glob("reviews_*.jsonl")) for line in path.open(encoding="utf-8")]


def made(samples: list[dict[str, Any]], count: int) -> Iterator[dict[str, Any]]:
    """New reviews: samples in which every eighth word is another one of the same language."""
    dice = random.Random(7)
    words: dict[str, list[str]] = {}
    for sample in samples:
        words.setdefault(sample["lang"], []).extend(sample["text"].split())
    for number in range(count):
        sample = samples[number % len(samples)]
        others = words[sample["lang"]]
        text = " ".join(word if dice.random() > 0.125 else dice.choice(others) for word in sample["text"].split())
        yield {**sample, "review_id": f"made-{number}", "text": text}


def timed_import(source: Path, folder: Path) -> dict[str, Any]:
    """Import twice in a process of its own; its figures, and the wall time of the first import with start and end."""
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, __file__, source, folder], stdout=subprocess.PIPE, check=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    figures["process_s"] = time.perf_counter() - begun - figures["again_s"]
    return figures


def importing(source: Path, folder: Path) -> None:
    """The measured process."""
    search = SearchConfig(path=folder / "index", embedder="use")
    with Store.open(folder / "brigade.db") as store:
        first = import_file(source, store=store, search=search, env=os.environ)
        begun = time.perf_counter()
        again = import_file(source, store=store, search=search, env=os.environ)
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    figures = {
        "rows": first.rows,
        "imported": first.imported,
        "sentences": first.sentences,
        "again_s": time.perf_counter() - begun,
        "again_imported": again.imported,
        "cpu_s": round(sum(each.ru_utime + each.ru_stime for each in usage), 1),
        "rss_mb": usage[0].ru_maxrss // 1024,
    }
    print(json.dumps(figures))


def baseline(source: Path) -> float:
    """Reviews per second that one fresh process splits and embeds, over a sample of them; its start is not counted."""
    done = subprocess.run([sys.executable, __file__, source], stdout=subprocess.PIPE, check=True, text=True)
    return float(done.stdout)


def embedding(source: Path) -> None:
    """The process that does nothing else."""
    rows = [json.loads(line) for line in source.open(encoding="utf-8")]
    chosen = random.Random(7).sample(rows, min(BASELINE, len(rows)))
    reviews = [Review(row["restaurant_id"], "", row["review_id"], row["text"]) for row in chosen]
    begun = time.perf_counter()
    embedder = load_embedder("use")
    for start in range(0, len(reviews), BATCH):
        prepare(reviews[start : start + BATCH], embedder)
    print(len(reviews) / (time.perf_counter() - begun))


def main() -> None:
    """Measure and print."""
    given = os.environ.get("BRIGADE_EVAL_DATA")
    rows = read(Path(given)) if given else list(made(read(ROOT / "data" / "samples"), MADE))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "reviews.jsonl"
        source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        before = baseline(source)
        figures = timed_import(source, Path(folder))
        after = baseline(source)
    alone = (before + after) / 2
    rate = figures["imported"] / figures["process_s"]
    print(
        json.dumps(
            {
                "bench": "importing",
                "input": "BRIGADE_EVAL_DATA" if given else "made from data/samples",
                "reviews_per_s": round(rate),
                "baseline_reviews_per_s": round(alone),
                "ratio": round(rate / alone, 2),
                "reviews_per_cpu_s": round(figures["imported"] / figures["cpu_s"]),
                "again_rows_per_s": round(figures.pop("rows") / figures.pop("again_s")),
                **{name: round(value, 1) for name, value in figures.items()},
                "processors": os.cpu_count(),
                "load": round(os.getloadavg()[0], 1),
            }
        )
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        importing(Path(sys.argv[1]), Path(sys.argv[2]))
    elif len(sys.argv) == 2:
        embedding(Path(sys.argv[1]))
    else:
        main()
