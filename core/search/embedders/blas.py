"""Keeping numpy's matrix library to one thread: its own threads spin while they wait, which ruins shared machines."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any


def one_blas_thread() -> AbstractContextManager[Any]:
    """A context in which BLAS uses one thread; without `threadpoolctl` it changes nothing."""
    controller = _controller()
    limited: AbstractContextManager[Any] = controller.limit(limits=1) if controller else nullcontext()
    return limited


@lru_cache(maxsize=1)
def _controller() -> Any:
    try:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-not-found,import-untyped,unused-ignore]  # optional
    except ImportError:
        return None
    return ThreadpoolController().select(user_api="blas")
