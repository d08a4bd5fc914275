"""HTTP/1.1 answers, from bytes that may be cut anywhere; no input or output of its own (RFC 9112)."""

from __future__ import annotations

from collections.abc import Callable

from core.base.errors import MalformedError

LARGEST_HEAD = 64 * 1024
LARGEST_BODY = 10 * 1024 * 1024

Take = Callable[[bytes], None]


class AnswerParser:
    """Reads one answer. `on_head` is called when status and headers are known; it may set `take` to get the body in
    pieces, else `body` collects it. bodyless: a 2xx has no body (CONNECT). MalformedError for what is no HTTP or is
    beyond 10 MB.
    """

    __slots__ = (
        "_bodyless",
        "_buffer",
        "_left",
        "_on_head",
        "_parts",
        "_read",
        "_size",
        "complete",
        "headers",
        "keep",
        "status",
        "take",
    )

    def __init__(self, on_head: Callable[[], None], *, bodyless: bool = False) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.keep = False
        self.complete = False
        self.take: Take | None = None
        self._on_head = on_head
        self._bodyless = bodyless
        self._parts: list[bytes] = []
        self._buffer = b""
        self._left = 0
        self._size = 0
        self._read: Callable[[], bool] = self._read_head

    @property
    def body(self) -> bytes:
        """What has come of the body, where nobody took it."""
        return b"".join(self._parts)

    def feed(self, data: bytes) -> None:
        """More bytes."""
        self._buffer = self._buffer + data if self._buffer else data
        while self._buffer and not self.complete and self._read():
            pass
        if self.complete and self._buffer:
            self.keep = False

    def end(self) -> bool:
        """The connection ended: whether the answer is complete with that."""
        if self.status and self._read == self._read_rest:
            self.complete = True
        return self.complete

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > LARGEST_HEAD:
                raise _malformed("its headers do not end")
            return False
        head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
        self._take_head(head.decode("latin-1"))
        if self.status >= 200:
            self._frame()
        return True

    def _take_head(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        version, _, rest = first.partition(" ")
        if version not in {"HTTP/1.1", "HTTP/1.0"} or not rest[:3].isdecimal():
            raise _malformed("it does not begin as an HTTP answer does")
        self.status = int(rest[:3])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        connection = self.headers.get("connection", "").lower()
        self.keep = "close" not in connection if version == "HTTP/1.1" else "keep-alive" in connection

    def _frame(self) -> None:
        """How the body ends."""
        coding, length = self.headers.get("transfer-encoding"), self.headers.get("content-length")
        if self.headers.get("content-encoding", "identity") != "identity":
            raise _malformed("it is compressed, which was not asked for")
        if coding is not None:
            if coding.lower() != "chunked":
                raise _malformed(f"its transfer coding is {coding[:40]!r}")
            self._read = self._read_size
        elif length is not None:
            self._expect(length)
        else:
            self._read = self._read_rest
            self.keep = False
        if self.status in {204, 304} or (self._bodyless and self.status < 300):
            self._left, self._read, self.keep = 0, self._read_length, self.keep or self._bodyless
        self._on_head()
        self.complete = self._read == self._read_length and not self._left

    def _expect(self, length: str) -> None:
        if not length.isdecimal():
            raise _malformed("its length is no number")
        self._left = int(length)
        if self._left > LARGEST_BODY:
            raise _too_large()
        self._read = self._read_length

    def _read_length(self) -> bool:
        self._move(self._left)
        self.complete = not self._left
        return False

    def _read_rest(self) -> bool:
        self._left = len(self._buffer)
        self._move(self._left)
        return False

    def _read_size(self) -> bool:
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            if len(line) > LARGEST_HEAD:
                raise _malformed("a chunk's size does not end")
            return False
        try:
            self._left = int(line.partition(b";")[0], 16)
        except ValueError:
            raise _malformed("a chunk has no size") from None
        self._buffer = rest
        self._read = self._read_chunk if self._left else self._read_trailer
        return True

    def _read_chunk(self) -> bool:
        if self._left:
            self._move(self._left)
        if self._left or len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise _malformed("a chunk is longer than it says")
        self._buffer = self._buffer[2:]
        self._read = self._read_size
        return True

    def _read_trailer(self) -> bool:
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            return False
        self._buffer = rest
        self.complete = not line
        return True

    def _move(self, most: int) -> None:
        """Hand over up to so many bytes of the body."""
        piece = self._buffer if len(self._buffer) <= most else self._buffer[:most]
        self._buffer = self._buffer[len(piece) :]
        self._left -= len(piece)
        self._size += len(piece)
        if self._size > LARGEST_BODY:
            raise _too_large()
        if self.take:
            self.take(piece)
        else:
            self._parts.append(piece)


def _malformed(what: str) -> MalformedError:
    return MalformedError(f"The server's answer is not understood: {what}.")


def _too_large() -> MalformedError:
    return MalformedError(f"The server's answer has more than {LARGEST_BODY >> 20} MB: the call was aborted.")
