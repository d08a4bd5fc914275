"""Server-sent events, from chunks that may end anywhere."""

from __future__ import annotations


class EventLines:
    """Cuts a byte stream into the data of its events; comments and other fields are left out."""

    __slots__ = ("_data", "_rest")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that this chunk completes; a blank line ends an event."""
        self._rest += chunk
        if b"\n" not in chunk:
            return []
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        return [event for line in lines if (event := self._line(line.removesuffix(b"\r"))) is not None]

    def end(self) -> list[bytes]:
        """The data of a last event whose blank line never came."""
        return self.feed(b"\n\n")

    def _line(self, line: bytes) -> bytes | None:
        """Take in a line; the event's data where the line ends one."""
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        elif not line and self._data:
            event, self._data = b"\n".join(self._data), []
            return event
        return None
