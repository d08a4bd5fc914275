"""Where log records go: all to a file beside the database, our warnings also to stderr, as one line each."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path

DEFAULT_DB = Path("data/brigade.db")
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
MAX_BYTES = 5_000_000


def keep_logs(args: argparse.Namespace) -> None:
    """Send the process's log records to their places. The file is made when there is something to write."""
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    logging.raiseExceptions = False  # a full disk must not print tracebacks
    root.addHandler(_File(args))
    if not getattr(args, "quiet", None):
        root.addHandler(_stderr())
    threading.excepthook = _thread_failed


def log_file(args: argparse.Namespace) -> Path:
    """The log of the database that the command speaks of."""
    db: Path = getattr(args, "db", None) or Path(os.environ.get("BRIGADE_DB") or DEFAULT_DB)
    return db.parent / "logs" / "brigade.log"


class _File(RotatingFileHandler):
    """The log file, opened with its folder at the first record."""

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__(log_file(args), maxBytes=MAX_BYTES, backupCount=2, encoding="utf-8", delay=True)
        self.setFormatter(logging.Formatter(FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; a folder that cannot be made loses it, not the command."""
        try:
            Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
            super().emit(record)
        except OSError:
            return


class _OneLine(logging.Formatter):
    """A record without its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The message's first line."""
        return f"brigade: {record.getMessage().partition(chr(10))[0]}"


def _stderr() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine())
    handler.addFilter(lambda record: record.name.startswith("core.") and record.levelno < logging.CRITICAL)
    return handler


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is not None:
        name = failure.thread.name if failure.thread else "?"
        logging.getLogger("threads").error("thread %s failed", name, exc_info=failure.exc_value)
