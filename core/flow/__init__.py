"""Gates, retries and budgets: no I/O, the clock injected."""

from core.flow.budget import Budget
from core.flow.gate import Gate, StoppedError, check_limit
from core.flow.retry import Backoff, RetryBudget

__all__ = ["Backoff", "Budget", "Gate", "RetryBudget", "StoppedError", "check_limit"]
