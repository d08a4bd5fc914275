"""Both sides in proportion: how reviewers feel, and whether one more sentence of the rarer view would be too many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.models.extractive.sentence import Sentence

MINORITY = 0.2  # share of the reviewers below which a dissenting view is an outlier
MANY = 5  # reviewers among whom a single dissenter is one too


@dataclass(frozen=True, slots=True)
class Views:
    """mood: from -1, all complain, to 1; minority: the sign of the rarer view; share: its part, 0 for an outlier."""

    mood: float
    minority: int
    share: float

    def allow(self, candidate: Sentence, chosen: Sequence[Sentence]) -> bool:
        """Whether the rarer view keeps to its share with this sentence."""
        if candidate.tone * self.minority <= 0:
            return True
        said = sum(c.tone * self.minority > 0 for c in chosen)
        return said + 1 <= self.share * (len(chosen) + 1) + 0.5


def views_of(candidates: Sequence[Sentence]) -> Views:
    """The views of the reviews behind the candidates; a sentence that several cite counts for each of them."""
    tones: dict[str, float] = {}
    voices: dict[str, int] = {}
    for candidate in candidates:
        tones[candidate.source] = tones.get(candidate.source, 0.0) + candidate.tone
        voices[candidate.source] = max(len(candidate.cites), 1)
    good = sum(voices[source] for source, tone in tones.items() if tone > 0)
    bad = sum(voices[source] for source, tone in tones.items() if tone < 0)
    share = min(good, bad) / max(good + bad, 1)
    outlier = share < MINORITY or (min(good, bad) == 1 and good + bad >= MANY)
    mood = (good - bad) / max(sum(voices.values()), 1)
    return Views(mood, -1 if bad <= good else 1, 0.0 if outlier else share)
