"""Progress on stderr: a live line on a terminal, elsewhere a plain line every ten seconds, or nothing."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Protocol

from core.cli.output import harmless, note

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EVERY_S = 10.0


class Meter(Protocol):
    """Shows how far something is. `tell` may be called as often as one likes; `say` is a lasting remark."""

    def tell(self, done: float, total: float, text: str) -> None: ...
    def say(self, text: str) -> None: ...
    def close(self) -> None: ...


def meter(args: argparse.Namespace, title: str) -> Meter:
    """The meter that suits this stderr and these options."""
    if getattr(args, "quiet", None):
        return Silent()
    if getattr(args, "no_progress", False):
        return Remarks(args)
    return Live(title) if sys.stderr is not None and sys.stderr.isatty() else Lines(args, title)


class Silent:
    """Says nothing."""

    def tell(self, done: float, total: float, text: str) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Remarks(Silent):
    """Says only what lasts."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args

    def say(self, text: str) -> None:
        """A line of its own."""
        note(self._args, text)


class Lines(Remarks):
    """A plain line now and then, for logs."""

    def __init__(self, args: argparse.Namespace, title: str) -> None:
        super().__init__(args)
        self._title = title
        self._last = time.monotonic()

    def tell(self, done: float, total: float, text: str) -> None:
        """A line, if the last is ten seconds old."""
        now = time.monotonic()
        if now - self._last >= EVERY_S:
            self._last = now
            self.say(f"{self._title} {done / (total or 1):.0%} {text}")


class Live:
    """One line that is redrawn in place."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def _begin(self) -> tuple[Progress, TaskID]:
        """Start drawing with the first figure, so that a command that fails before draws nothing."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        if self._progress is None or self._task is None:
            said = TextColumn("{task.fields[said]}", markup=False)
            title = TextColumn("{task.description}", markup=False)
            console = Console(stderr=True, markup=False, highlight=False, emoji=False)
            bar = BarColumn(bar_width=24)
            self._progress = Progress(title, bar, TaskProgressColumn(), said, console=console, transient=True)
            self._task = self._progress.add_task(self._title, total=1.0, said="")
            self._progress.start()
        return self._progress, self._task

    def tell(self, done: float, total: float, text: str) -> None:
        """Redraw the line."""
        progress, task = self._begin()
        progress.update(task, completed=done, total=total or 1, said=harmless(text))

    def say(self, text: str) -> None:
        """A line that stays, above the live one."""
        progress, _ = self._begin()
        progress.console.print(harmless(text, keep_lines=True), soft_wrap=True)

    def close(self) -> None:
        """Clear the line."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = self._task = None
