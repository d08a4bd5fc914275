"""Event streams are the same events however their bytes are cut."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from core.models.sse import EventLines

STREAM = (
    b': hello\r\n\r\ndata: {"a": 1}\r\n\r\nevent: x\ndata:{"b": "\xec\x95\x88"}\n\n\n'
    b"data: one\ndata: two\n\ndata: [DONE]\n\n"
)
EVENTS = [b'{"a": 1}', b'{"b": "\xec\x95\x88"}', b"one\ntwo", b"[DONE]"]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_chunks_may_end_anywhere(cuts: list[int]) -> None:
    """Comments and other fields are skipped, lines may end in CRLF, data of several lines belongs together."""
    edges = [0, *sorted(cuts), len(STREAM)]
    lines = EventLines()
    found = [event for start, end in itertools.pairwise(edges) for event in lines.feed(STREAM[start:end])]
    assert found == EVENTS


def test_a_last_event_may_lack_its_blank_line() -> None:
    """What was told before the end counts."""
    lines = EventLines()
    assert lines.feed(b"data: last") == []
    assert lines.end() == [b"last"]
