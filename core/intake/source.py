"""The file to import: what kind it is, its bytes (unpacked and capped) and how far they have been read."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from core.base.errors import UsageError
from core.intake.report import ImportLimits

FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
BROKEN_FILE = (EOFError, gzip.BadGzipFile, zlib.error, OSError)
_GZIP_MAGIC = b"\x1f\x8b"
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SUPPORTED = "CSV (.csv, .tsv), JSON Lines (.jsonl, .ndjson) or Parquet (.parquet); the first two also as .gz"


@dataclass(slots=True)
class Source:
    """One file, checked and ready to be read. `format` is csv, jsonl or parquet; `size` its bytes on disk."""

    path: Path
    format: str
    packed: bool
    size: int
    _disk: IO[bytes] | None = None

    @property
    def bytes_done(self) -> int:
        """Bytes of the file on disk that have been read so far."""
        if self._disk is None:
            return 0
        return self.size if self._disk.closed else min(self._disk.tell(), self.size)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The file's bytes, unpacked."""
        with self.path.open("rb") as disk:
            self._disk = disk
            yield cast(BinaryIO, gzip.GzipFile(fileobj=disk)) if self.packed else disk


def find_source(path: Path, limits: ImportLimits) -> Source:
    """The file at `path`; UsageError says why it cannot be imported and what to do."""
    head = _first_bytes(path)
    packed = path.suffix.lower() == ".gz"
    suffix = (path.with_suffix("") if packed else path).suffix.lower()
    if suffix not in FORMATS or (packed and suffix == ".parquet"):
        msg = f"{path} is not a format that can be imported: give {_SUPPORTED}."
        raise UsageError(msg)
    if packed != head.startswith(_GZIP_MAGIC):
        msg = f"{path} {'is not' if packed else 'is'} gzip-compressed, as its name would have it: rename it."
        raise UsageError(msg)
    if head.startswith(_WIDE_MARKS):
        msg = f"{path} is UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8 IN > OUT, or 'CSV UTF-8' in Excel)."
        raise UsageError(msg)
    size = path.stat().st_size
    if size > limits.max_bytes:
        msg = f"{path} has {size:,} bytes, more than the {limits.max_bytes:,} allowed: split it."
        raise UsageError(msg)
    return Source(path, FORMATS[suffix], packed, size)


def _first_bytes(path: Path) -> bytes:
    """The file's first bytes; UsageError where there is no file to read or nothing in it."""
    if path.is_dir():
        msg = f"{path} is a directory: name the files in it, e.g. {path}/*.jsonl."
        raise UsageError(msg)
    if path.exists() and not path.is_file():
        msg = f"{path} is a device or pipe: write its content to a file and import that."
        raise UsageError(msg)
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except FileNotFoundError:
        msg = f"{path} does not exist (looked in {Path.cwd()}): check the path."
        raise UsageError(msg) from None
    except OSError as exc:
        msg = f"{path} cannot be read ({exc.strerror}): check its permissions."
        raise UsageError(msg) from exc
    if not head:
        msg = f"{path} is empty: nothing to import; check how it was exported."
        raise UsageError(msg)
    return head
