"""SIGINT, SIGTERM and SIGHUP: the first asks to stop, the second insists."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = tuple(s for name in ("SIGINT", "SIGTERM", "SIGHUP") if (s := getattr(signal, name, None)) is not None)


class Stop:
    """A context in which signals are told rather than kill.

    Until `gently` has been called a signal raises KeyboardInterrupt at once; after it the first one sets `asked`, and
    only the next raises.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.name = ""
        self._gentle = False
        self._before: dict[signal.Signals, Any] = {}

    def __repr__(self) -> str:
        return f"<Stop {self.name or 'not asked'}>"

    def __enter__(self) -> Stop:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
                self._before[number] = signal.signal(number, self._told)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def gently(self) -> None:
        """From now on the first signal is only noted."""
        self._gentle = True

    def deaf(self) -> None:
        """From now on signals are ignored: what follows is short and must not be cut."""
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)

    def _told(self, number: int, _: FrameType | None) -> None:
        first = not self.asked.is_set()
        self.name = signal.Signals(number).name
        self.asked.set()
        if not (self._gentle and first):
            raise KeyboardInterrupt
