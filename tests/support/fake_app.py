"""Serve the dashboard over the fake service: `python -m tests.support.fake_app SCENE PORT [DUMP]`.

DUMP is a file that gets every command the pages sent, one JSON list a line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from streamlit.web import bootstrap

from core.ui import engine
from tests.support.fake_service import FakeService

ROOT = Path(__file__).resolve().parents[2]


class Recorder(list[tuple[object, ...]]):
    """A list that also writes what is appended to a file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def append(self, item: tuple[object, ...]) -> None:
        super().append(item)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([str(x) for x in item]) + "\n")


def main(scene: str, port: int, dump: str | None) -> None:
    """Run the server until it is killed."""
    fake = FakeService(scene)
    if dump:
        fake.sent = Recorder(Path(dump))
    engine.open_service = lambda: fake  # type: ignore[assignment,return-value]
    options = {"server.port": port, "server.headless": True, "server.fileWatcherType": "none"}
    bootstrap.load_config_options(options)
    bootstrap.run(str(ROOT / "app.py"), False, [], options)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
