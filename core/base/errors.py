"""The one exception tree.

BrigadeError
├── UsageError              the operator's input is wrong (exit 2)
│   ├── ConfigError         a setting
│   ├── WorkloadError       a workload file; names file and line
│   └── UnknownError        an item, run, workload or model that does not exist
├── StoreError              SQLite
│   ├── StoreVersionError   a database of a newer version
│   └── StoreFullError      disk full, read-only, I/O: nothing more can be recorded
├── SearchError             Qdrant, the embedded index, an embedder
│   ├── SearchUnavailableError   down or slow: worth another try
│   ├── IndexLockedError    a second process holds the embedded index
│   └── IndexMismatchError  wrong vector size, missing collection, another embedder
├── ModelError              an LLM call; see below
│   ├── RateLimitedError    429 (`retry_after` seconds, None where unknown)
│   ├── ServerFaultError    408, 500, 502, 503, 504, 529
│   ├── UnreachableError    DNS failure, connection refused
│   ├── BrokenReplyError    reset in mid-body, timeouts: billing unknown
│   ├── MalformedError      an answer that does not parse, is empty or oversized
│   ├── RefusedError        refusal or content filter: no retry
│   ├── ContextTooLongError 400 or 413 that speaks of the context
│   └── RejectedError       401, 403, 404, TLS failure, spend limit: pause the run
├── DaySpentError           the day's budget does not allow another call
└── RunError                preflight refused, lease held, run in the wrong state
"""

from __future__ import annotations


class BrigadeError(Exception):
    """Anything Brigade raises on purpose; its text says what was wrong, the value and the way out."""

    exit_code = 1


class UsageError(BrigadeError):
    """The operator's input is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting has a value that cannot be used."""


class WorkloadError(UsageError):
    """A workload file is wrong; the message begins with `file:line:`."""


class UnknownError(UsageError):
    """Something named does not exist: an item, run, workload or model."""


class StoreError(BrigadeError):
    """SQLite could not do what was asked."""


class StoreVersionError(StoreError):
    """The database was written by a newer Brigade."""

    exit_code = 2


class StoreFullError(StoreError):
    """Nothing more can be recorded: disk full, read-only, I/O error."""


class SearchError(BrigadeError):
    """The search side failed."""


class SearchUnavailableError(SearchError):
    """The search backend is down or slow; another try may help."""


class IndexLockedError(SearchError):
    """A second process holds the embedded index."""


class IndexMismatchError(SearchError):
    """The index does not fit: vector size, missing collection or another embedder."""

    exit_code = 2


class ModelError(BrigadeError):
    """An LLM call failed.

    `status` is the HTTP status (None without one); `sent` says whether the request may have reached the
    server, so that its cost is unknown rather than zero; `busy` that the server spoke of too many calls at once.
    """

    retryable = False
    busy = False

    def __init__(self, message: str, *, status: int | None = None, sent: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.sent = sent


class RateLimitedError(ModelError):
    """429; `retry_after` in seconds, None where the server did not say."""

    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None, status: int | None = 429) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


class ServerFaultError(ModelError):
    """408, 500, 502, 503, 504 or 529."""

    retryable = True

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


class UnreachableError(ModelError):
    """The name does not resolve or the connection is refused: nothing was sent."""

    retryable = True

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=False)


class BrokenReplyError(ModelError):
    """The connection broke or a deadline passed after the request was sent: billing unknown.

    `late` says which deadline: total, first_byte or idle ('' for none of them).
    """

    retryable = True

    def __init__(self, message: str, *, late: str = "", status: int | None = None) -> None:
        super().__init__(message, status=status)
        self.late = late


class MalformedError(ModelError):
    """A 200 whose body does not parse, is empty, oversized or carries an error.

    `cut` says that it is empty because thoughts took all the tokens it might have.
    """

    retryable = True
    cut = False


class RefusedError(ModelError):
    """The model refused or a content filter cut in: no retry."""


class ContextTooLongError(ModelError):
    """The prompt is longer than the model's context."""


class RejectedError(ModelError):
    """Credentials, unknown model, TLS failure or a spend limit: the run pauses."""


class DaySpentError(BrigadeError):
    """The day's budget does not allow another call: the run stops until it is raised, or the day is over."""


class RunError(BrigadeError):
    """A run cannot do what was asked of it in its state."""
