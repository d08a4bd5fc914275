"""What an import is bounded by, tells while it runs and says at its end."""

from __future__ import annotations

from dataclasses import dataclass, field

BAD_KEPT = 1000


@dataclass(frozen=True, slots=True)
class ImportLimits:
    """Caps that hold before anything is parsed, so that a hostile file costs a message rather than the memory.

    max_bytes and max_rows end the reading of a file; the others make single rows bad. max_bytes counts unpacked bytes;
    max_array_bytes is for a .json file that holds one array, which has to be read whole.
    """

    max_bytes: int = 32 << 30
    max_rows: int = 20_000_000
    max_line_bytes: int = 4 << 20
    max_cell_chars: int = 50_000
    max_columns: int = 200
    max_array_bytes: int = 64 << 20
    max_rating: float = 10.0


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What one import did: rows = imported + unchanged + duplicates + bad_count.

    imported: new or changed; duplicates: an id or, within a restaurant, a text that was already there; bad: (line
    number, why) of the first thousand rows that were skipped; restaurants: those with at least one good row; sentences:
    indexed by this import; seconds: wall; stopped: the file was not read to its end, or not all of it is indexed yet.
    """

    rows: int
    imported: int
    unchanged: int
    duplicates: int
    bad: tuple[tuple[int, str], ...]
    bad_count: int
    restaurants: int
    sentences: int
    seconds: float
    stopped: bool


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """An import under way. phase: `reading` while the file is read (indexing runs beside it), then `indexing`.

    bytes are those of the file as it lies on disk; indexed counts reviews, also those an earlier import left over.
    """

    bytes_done: int
    bytes_total: int
    rows: int
    imported: int
    unchanged: int
    duplicates: int
    bad: int
    phase: str
    indexed: int = 0


@dataclass(slots=True)
class Tally:
    """The counters of an import while it runs."""

    rows: int = 0
    imported: int = 0
    unchanged: int = 0
    duplicates: int = 0
    bad_count: int = 0
    restaurants: int = 0
    indexed: int = 0
    sentences: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)

    def reject(self, line: int, reason: str) -> None:
        """Count a bad row, and keep why while there is room."""
        self.bad_count += 1
        if len(self.bad) < BAD_KEPT:
            self.bad.append((line, reason))

    def report(self, seconds: float, *, stopped: bool) -> ImportReport:
        """The final account."""
        return ImportReport(
            self.rows,
            self.imported,
            self.unchanged,
            self.duplicates,
            tuple(sorted(self.bad)),
            self.bad_count,
            self.restaurants,
            self.sentences,
            seconds,
            stopped,
        )

    def progress(self, bytes_done: int, bytes_total: int, phase: str) -> ImportProgress:
        """How far it is."""
        return ImportProgress(
            bytes_done,
            bytes_total,
            self.rows,
            self.imported,
            self.unchanged,
            self.duplicates,
            self.bad_count,
            phase,
            self.indexed,
        )
