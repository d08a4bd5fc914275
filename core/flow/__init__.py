"""Gates, rates, breakers, patience, retries and budgets: no I/O, the clock injected."""

from core.flow.breaker import Breaker, BreakerState
from core.flow.budget import Budget
from core.flow.crowding import Crowding
from core.flow.gate import UNLIMITED, Gate, StoppedError, check_limit
from core.flow.patience import Patience
from core.flow.rates import Change, Rates
from core.flow.rates_line import Load, Reservation
from core.flow.retry import Backoff, RetryBudget
from core.flow.waits import IDLE_S, StagePatience, Took, Waits

__all__ = [
    "IDLE_S",
    "UNLIMITED",
    "Backoff",
    "Breaker",
    "BreakerState",
    "Budget",
    "Change",
    "Crowding",
    "Gate",
    "Load",
    "Patience",
    "Rates",
    "Reservation",
    "RetryBudget",
    "StagePatience",
    "StoppedError",
    "Took",
    "Waits",
    "check_limit",
]
