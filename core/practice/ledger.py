"""The practice server's own call log: what a client's ledger can be reconciled with."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

KEPT = 200_000
MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Entry:
    """One call. state: ok, rejected (429), refused (4xx), failed (a fault on request) or aborted (the client left);
    tokens are those billed."""

    number: int
    model: str
    state: str
    status: int
    input_tokens: int
    output_tokens: int
    began_s: float
    seconds: float
    streamed: bool


class CallLog:
    """Counts of all calls and the last 200,000 of them one by one."""

    def __init__(self, prices: Mapping[str, tuple[Decimal, Decimal]]) -> None:
        self._prices = prices
        self._entries: deque[tuple[Any, ...]] = deque(maxlen=KEPT)
        self._states: Counter[str] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self.in_flight = 0
        self.peak = 0
        self.calls = 0

    def begin(self) -> int:
        """A call came; its number."""
        self.calls += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        return self.calls

    def end(self, *entry: Any) -> None:
        """A call is over: the fields of an `Entry`."""
        self.in_flight -= 1
        self._entries.append(entry)
        _, model, state, _, read, written, *_ = entry
        self._states[state] += 1
        self._tokens[model, "input"] += read
        self._tokens[model, "output"] += written

    def entries(self, most: int) -> list[Entry]:
        """The last so many calls, oldest first."""
        return [Entry(*entry) for entry in list(self._entries)[-most:]] if most > 0 else []

    def cost(self) -> Decimal:
        """What all calls would have cost, in US dollars."""
        return sum(
            (
                (self._prices[model][kind == "output"] * count) / MILLION
                for (model, kind), count in self._tokens.items()
                if model
            ),
            Decimal(0),
        )

    def summary(self) -> dict[str, Any]:
        """Everything in one object, as JSON can say it."""
        totals = {kind: sum(n for (_, k), n in self._tokens.items() if k == kind) for kind in ("input", "output")}
        return {
            "calls": self.calls,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak,
            **{state: self._states[state] for state in ("ok", "rejected", "refused", "failed", "aborted")},
            "input_tokens": totals["input"],
            "output_tokens": totals["output"],
            "cost_usd": str(self.cost()),
        }
