"""The servers one can practise on, each with the law of its simulated speed.

batch    continuous batching, as vLLM does it. A decode step of b sequences takes t(b) = step_s + step_per_seat_s * b
         and gives each of them one token, so that a token gets slower while the throughput b / t(b) grows, until the
         seats are full; who comes later waits in one queue, first come first served. New sequences are prefilled
         together (at most prefill_batch tokens at once), for prefill_s + prefill_per_token_s * tokens, while decoding
         stalls; a prefill ends with the first token. With kv_tokens, prompts and answers must fit into that memory:
         when they outgrow it, the last to come is put back to the head of the queue and must be prefilled again.
fixed    every call takes latency_s, on `seats` servers (0: as many as there are calls).
instant  no latency.

On top of each: `rpm` and `tpm` (token buckets that hold burst_s seconds' worth), `queue` (the longest queue, 429
beyond), `stray` (share of calls rejected for no reason), `neighbours` (mean number of other people's sequences in the
batch, drawn anew every neighbour_s seconds; they take seats and slow the steps), and the shares of calls that fail when
their answer would be due: `errors` (500), `resets` (in mid-body), `garbage` (cut-off JSON); `hangs` are silent for
hang_s seconds before they begin. `terse`: a 429 says neither why nor for how long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from types import MappingProxyType

from core.base.errors import ConfigError
from core.models.prices import PRACTICE_PRICES

FASTEST = 100
_TIMES = (
    "step_s",
    "step_per_seat_s",
    "prefill_s",
    "prefill_per_token_s",
    "latency_s",
    "burst_s",
    "neighbour_s",
    "hang_s",
)


@dataclass(frozen=True, slots=True)
class Preset:
    """A practice server's law; times in seconds. seats 0: no limit; answers: `extractive`, or `brief`
    (a tenth of the server's CPU). speed: so many times as fast, quotas too; rehearsals take that much less time."""

    name: str
    title: str
    law: str = "batch"
    step_s: float = 0.0
    step_per_seat_s: float = 0.0
    prefill_s: float = 0.0
    prefill_per_token_s: float = 0.0
    prefill_batch: int = 8192
    seats: int = 0
    kv_tokens: int | None = None
    latency_s: float = 0.0
    rpm: int | None = None
    tpm: int | None = None
    burst_s: float = 5.0
    queue: int | None = None
    stray: float = 0.0
    neighbours: int = 0
    neighbour_s: float = 5.0
    errors: float = 0.0
    resets: float = 0.0
    garbage: float = 0.0
    hangs: float = 0.0
    hang_s: float = 20.0
    terse: bool = False
    context: int = 32_768
    answers: str = "extractive"
    seed: int = 7
    speed: float = 1.0

    @property
    def prices(self) -> Mapping[str, tuple[Decimal, Decimal]]:
        """USD per million tokens, input and output, by model: declared, and charged to nobody."""
        return PRACTICE_PRICES

    def step(self, batch: int) -> float:
        """Seconds of one decode step of that many sequences."""
        return self.step_s + self.step_per_seat_s * batch

    def prefill(self, tokens: int) -> float:
        """Seconds for which the prefill of that many tokens stalls decoding."""
        return self.prefill_s + self.prefill_per_token_s * tokens


_GPU = Preset(
    "single-gpu-8b",
    "One GPU with an 8B model: t(b) = 14 ms + 0.14 ms b, 128 seats, prefill 4 ms + 0.02 ms a token.",
    step_s=0.014,
    step_per_seat_s=0.000_14,
    prefill_s=0.004,
    prefill_per_token_s=0.000_02,
    seats=128,
)
_ALL = (
    Preset(
        "zero",
        "No latency and brief answers (the best sentence, cited): what remains is the pipeline's own cost.",
        law="instant",
        answers="brief",
    ),
    _GPU,
    replace(
        _GPU,
        name="kv-limited",
        title="The same GPU with 256 seats and memory for 24,000 tokens: beyond that the last to come starts again.",
        seats=256,
        kv_tokens=24_000,
    ),
    Preset(
        "api-rpm",
        "A hosted API: 20 ms a token whatever the load, 600 requests and 400,000 tokens a minute, 429 beyond.",
        step_s=0.02,
        prefill_s=0.002,  # it stalls all calls: an API has other machines for that
        rpm=600,
        tpm=400_000,
    ),
    replace(
        _GPU,
        name="shared-noisy",
        title="The same GPU, shared: others hold 0 to 64 seats, anew every 5 s; 1 % stray 429s; 429 when 256 wait.",
        neighbours=32,
        stray=0.01,
        queue=256,
    ),
    Preset("fixed", "Every call takes latency_s (0.5 s), however many there are.", law="fixed", latency_s=0.5),
)
PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in _ALL})


def preset_of(name: str, overrides: Mapping[str, object]) -> Preset:
    """A preset with some of its numbers changed; ConfigError names what is unknown."""
    if name not in PRESETS:
        msg = f"There is no practice preset {name!r}; there are {', '.join(PRESETS)}."
        raise ConfigError(msg)
    known = {field.name for field in fields(Preset)} - {"name", "title"}
    if unknown := sorted(set(overrides) - known):
        msg = f"A practice preset has no {', '.join(unknown)}; it has {', '.join(sorted(known))}."
        raise ConfigError(msg)
    return _hastened(replace(PRESETS[name], **overrides))  # type: ignore[arg-type]  # fields by name, of several types


def _hastened(preset: Preset) -> Preset:
    """The preset with its `speed` worked into its law."""
    speed = preset.speed
    if not (isinstance(speed, int | float) and 0 < speed <= FASTEST):
        msg = f"The speed of a practice server is {speed!r}; it must be above 0 and at most {FASTEST}."
        raise ConfigError(msg)
    times = {name: getattr(preset, name) / speed for name in _TIMES}
    quotas = {name: quota and round(quota * speed) for name in ("rpm", "tpm") for quota in (getattr(preset, name),)}
    return replace(preset, **times, **quotas)
