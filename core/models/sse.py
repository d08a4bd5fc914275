"""Server-sent events, from chunks that may end anywhere."""

from __future__ import annotations


class EventLines:
    """Cuts a byte stream into the data of its events: one entry per event, comments and other fields left out."""

    __slots__ = ("_data", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that this chunk completes. A blank line ends an event; so does the next `data: {`."""
        *lines, self._rest = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line.strip() and self._data:
                events.append(b"\n".join(self._data))
                self._data = []
        return events

    def end(self) -> list[bytes]:
        """The data of a last event whose blank line never came."""
        events = self.feed(b"\n\n")
        self._rest = b""
        return events
