"""Exit codes, and which of them a run's end deserves."""

from __future__ import annotations

from core.base.records import RunStatus
from core.base.views import RunView

OK = 0
FAILED = 1
USAGE = 2
FAILED_ITEMS = 3
BUDGET = 4
INTERRUPTED = 130

_BY_STATUS = {
    RunStatus.FINISHED: OK,
    RunStatus.BUDGET: BUDGET,
    RunStatus.INTERRUPTED: INTERRUPTED,
    RunStatus.CANCELLED: INTERRUPTED,
}


def of_run(run: RunView) -> int:
    """The code of a run that has ended; a finished one with failed items has its own."""
    if run.status is RunStatus.FINISHED and run.failed:
        return FAILED_ITEMS
    return _BY_STATUS.get(run.status, FAILED)
