"""What holds for the whole suite."""

from __future__ import annotations

import signal

import pytest


def pytest_configure() -> None:
    """A suite started in the background inherits an ignored Ctrl-C, and so would every program that it tests."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests go last: the driver keeps an event loop in the main thread, beside which no other can run."""
    items.sort(key=lambda item: "browser" in item.path.parts)
