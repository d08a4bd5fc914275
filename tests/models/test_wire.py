"""HTTP/1.1 answers are read the same however their bytes are cut; what is none is an error."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.errors import MalformedError
from core.models.wire import LARGEST_BODY, AnswerParser

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"
HINTED = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + LENGTH
CUTS = st.lists(st.integers(0, 150), max_size=10)


def parsed(data: bytes, cuts: list[int] = (), **options: bool) -> AnswerParser:  # type: ignore[assignment]
    parser = AnswerParser(lambda: None, **options)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        if end > start and not parser.complete:
            parser.feed(data[start:end])
    return parser


@pytest.mark.parametrize("data", [LENGTH, CHUNKED, HINTED], ids=["length", "chunked", "hinted"])
@given(cuts=CUTS)
def test_bytes_may_be_cut_anywhere(data: bytes, cuts: list[int]) -> None:
    """By length or in chunks with extensions and trailers, also behind interim answers: the same body, kept alive."""
    parser = parsed(data, cuts)
    assert (parser.status, parser.body, parser.complete, parser.keep) == (200, b"hello", True, True)


def test_headers_are_known_by_lower_case_names() -> None:
    """Names are lowered and values stripped."""
    assert parsed(LENGTH).headers == {"content-length": "5", "x-a": "b"}


def test_a_body_may_end_with_the_connection() -> None:
    """Without a length the end of the connection is the end of the body; it cannot be used again."""
    parser = parsed(b"HTTP/1.1 200 OK\r\n\r\nhel")
    parser.feed(b"lo")
    assert not parser.complete
    assert parser.end()
    assert (parser.body, parser.keep) == (b"hello", False)


@pytest.mark.parametrize("data", [LENGTH[:-1], CHUNKED[:-4], LENGTH[:20], b""])
def test_a_body_that_was_cut_off_is_not_complete(data: bytes) -> None:
    """An answer with a length, or in chunks, is not complete because the connection ended."""
    assert not parsed(data).end()


@pytest.mark.parametrize(
    ("head", "keep"),
    [
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", True),
    ],
)
def test_the_server_says_whether_the_connection_stays(head: bytes, keep: bool) -> None:
    """Connection: close, and HTTP/1.0's other default."""
    assert parsed(head + b"content-length: 0\r\n\r\n").keep is keep


def test_bytes_behind_the_answer_spoil_the_connection() -> None:
    """What comes unasked belongs to no call."""
    parser = parsed(LENGTH + b"HTTP/1.1 200 OK\r\n")
    assert parser.complete
    assert not parser.keep


def test_no_body_where_there_can_be_none() -> None:
    """204, and the 2xx that opens a tunnel."""
    assert parsed(b"HTTP/1.1 204 No Content\r\n\r\n").complete
    tunnel = parsed(b"HTTP/1.1 200 Connection established\r\n\r\n", bodyless=True)
    assert tunnel.complete
    assert tunnel.keep


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n",
        b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (LARGEST_BODY + 1),
    ],
)
def test_what_is_no_answer_is_malformed(data: bytes) -> None:
    """Another protocol, nonsense lengths, codings nobody asked for, endless heads, too large bodies."""
    with pytest.raises(MalformedError):
        parsed(data)


@given(st.binary(max_size=200))
def test_noise_is_malformed_or_incomplete(data: bytes) -> None:
    """Whatever comes, nothing else is raised and nothing is taken for an answer."""
    with contextlib.suppress(MalformedError):
        assert not parsed(data).complete
