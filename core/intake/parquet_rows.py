"""Parquet, in batches of rows: a row group is never held as Python objects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from core.base.errors import UsageError
from core.intake.report import ImportLimits
from core.intake.rows import BadRow, Broken, Row, column_names
from core.intake.source import Source

_BATCH = 500


def parquet_rows(source: Source, limits: ImportLimits, needed: frozenset[str]) -> Iterator[Row | BadRow | Broken]:
    """Each row with its number from 1; UsageError for what is no Parquet or is over a cap."""
    import pyarrow as pa

    with source.open() as file:
        table = _open(source, file, limits)
        names = column_names(source, table.schema_arrow.names, needed)
        number = 1
        try:
            for batch in table.iter_batches(batch_size=_BATCH):
                yield from _batch_rows(batch.rename_columns(names), number)
                number += batch.num_rows
        except (pa.ArrowException, OSError) as exc:
            yield Broken(number, f"the file is damaged here ({exc}): fetch it again")


def _open(source: Source, file: Any, limits: ImportLimits) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file, pre_buffer=False)
    except (pa.ArrowException, OSError) as exc:
        msg = f"{source.path} is not a Parquet file that can be read ({exc}): export it again."
        raise UsageError(msg) from exc
    meta = table.metadata
    unpacked = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
    for what, value, cap in (
        ("columns", meta.num_columns, limits.max_columns),
        ("rows", meta.num_rows, limits.max_rows),
        ("bytes unpacked", unpacked, limits.max_bytes),
    ):
        if value > cap:
            msg = f"{source.path} has {value:,} {what}, more than the {cap:,} allowed: split it or leave some out."
            raise UsageError(msg)
    return table


def _batch_rows(batch: Any, number: int) -> Iterator[Row | BadRow]:
    """A batch's rows; one by one where a text in it is not UTF-8."""
    try:
        cells = batch.to_pylist()
    except UnicodeDecodeError:
        if batch.num_rows == 1:
            yield BadRow(number, "not valid UTF-8")
            return
        for offset in range(batch.num_rows):
            yield from _batch_rows(batch.slice(offset, 1), number + offset)
        return
    for offset, row in enumerate(cells):
        yield Row(number + offset, {name: _plain(value) for name, value in row.items()})


def _plain(value: Any) -> Any:
    """Arrow's richer types as what JSON can say."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    return value
