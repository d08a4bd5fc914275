"""The three standard streams, made safe to write to: closed ones, broken pipes, narrow encodings."""

from __future__ import annotations

import contextlib
import io
import os
import sys

STANDARD = (0, 1, 2)


def prepare_streams() -> None:
    """Fill closed descriptors, lest a database file get number 1, and let no character fail to print."""
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def write(text: str) -> None:
    """Write a line of data to stdout as UTF-8, whatever the locale; BrokenPipeError where the reader has gone."""
    if sys.stdout is None:
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode() + b"\n")


def flush() -> None:
    """Hand over what is buffered."""
    if sys.stdout is not None:
        sys.stdout.flush()


def abandon() -> None:
    """Nobody reads any more: what is still buffered goes nowhere, without a complaint at exit."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
