"""What a node wants of a model, and the form in which it asks by now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from core.base.allocation import Allocation
from core.base.records import Attempt, Message, ModelReply, NodeResult
from core.flow import Waits
from core.models.tokens import estimate_tokens
from core.pipeline.prompts import input_hash
from core.pipeline.routes import Route
from core.pipeline.settlements import short

TRUNCATED = "truncated"
MORE_ROOM = 2
HALF = 0.5
Accept = Callable[[ModelReply, Route, Decimal | None, str, tuple[str, ...]], Sequence[NodeResult]]


@dataclass(frozen=True, slots=True)
class Job:
    """What a node wants of a model. `render(keep)` gives the messages with that share of the evidence; `accept`
    makes results of a reply or raises MalformedError; `allocate` says which models, asked again before every try, so
    that a change reaches the very next call; on its `last_chance` an outage is the call's failure, not the run's."""

    item_id: str
    stage: str
    parts: tuple[str, ...]
    priority: float
    allocate: Callable[[], Allocation]
    attempts: int
    waits: Waits
    as_json: bool
    render: Callable[[float], tuple[Message, ...]]
    accept: Accept
    last_chance: bool = False
    fallback_on_refusal: bool = False


class Asking:
    """A job in the form that its failures have given it: how much evidence, which model of the chain, how much room.

    number: attempts so far; flags: for the results; fell: why another model is asked; tokens: of the prompt, estimated.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.number = 0
        self.position = 0
        self.flags: tuple[str, ...] = ()
        self.fell = ""
        self.room = 1
        self.cut: Sequence[NodeResult] = ()
        self._show(1.0)
        self._whole = self.messages

    def __repr__(self) -> str:
        return f"<Asking {self.job.stage} of {self.job.item_id}: attempt {self.number}, model {self.position}>"

    def _show(self, share: float) -> None:
        """Render the prompt with that share of the evidence."""
        self.messages = self.job.render(share)
        self.tokens = sum(estimate_tokens(message.content) for message in self.messages)

    def trim(self) -> None:
        """Go on with half of the evidence, the best of it."""
        self._show(HALF)
        self.flags = (*self.flags, "trimmed")

    def next_model(self, why: str) -> bool:
        """Go on with the next model of the chain, and say why; False where there is none."""
        self.position += 1
        if self.position >= len(self.job.allocate().chain):
            return False
        self.flags = (*self.flags, "fallback")
        self.fell = short(f"fallback {self.position} after: {why}")
        return True

    def more_room(self, cut: Sequence[NodeResult] = ()) -> None:
        """Go on with a higher cap of tokens; `cut`: what the answer came to that met the old one."""
        self.room, self.cut = MORE_ROOM, cut or self.cut

    @property
    def allocation(self) -> Allocation:
        """The allocation as it stands, with the room that this call needs."""
        allocation = self.job.allocate()
        return allocation if self.room == 1 else replace(allocation, max_tokens=self.room * allocation.max_tokens)

    @property
    def on_last_model(self) -> bool:
        """Whether the chain has no other model to go on with."""
        return self.position >= len(self.job.allocate().fallback)

    def hash(self, model: str, allocation: Allocation) -> str:
        """sha256 (hex) of what a model is asked now."""
        return input_hash(self.messages, model, allocation.max_tokens, allocation.temperature)

    def first_hash(self, attempt: Attempt) -> str:
        """The hash of what was first asked: it tells whether another run asks the same."""
        if self.room == 1 and self.messages is self._whole:
            return attempt.input_hash
        size = (attempt.max_tokens or 0) // self.room
        return input_hash(self._whole, attempt.model, size, attempt.temperature or 0.0)

    def key(self, digest: str) -> str:
        """The cache's key: the hash of prompt, model and parameters, and the form of the answer."""
        return f"{digest}:{'json' if self.job.as_json else 'text'}"
