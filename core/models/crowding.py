"""Whether a rejection speaks of calls in flight or of a quota: the one says how many at once, the other how fast."""

from __future__ import annotations

import re

_REJECTIONS = frozenset({429, 503, 529})
# Said of seats and queues, whatever else is said beside it.
_SEATS = re.compile(
    r"(?i)(concurren|simultaneous|in[- ]flight|in parallel|at (?:once|the same time)|queue|are waiting|\bslots?\b)"
)
_QUOTA = re.compile(
    r"(?i)(per[ -_](?:second|minute|hour|day|month)|/ ?(?:s|sec|min|hour|day)\b|rate.?limit|quota|\b[rt]p[smhd]\b)"
)
_LOAD = re.compile(r"(?i)(overload|busy|capacity|high demand|max(?:imum)? (?:batch|requests))")


def too_many_at_once(status: int, said: str) -> bool:
    """Whether a rejection's words mean too many calls at once; `said` is the error's code and message.

    Words of seats and queues decide first, then those of a quota, then those of load. What says nothing is no: whether
    it is the crowd shows from what follows (core.flow.crowding).
    """
    if status not in _REJECTIONS:
        return False
    return bool(_SEATS.search(said) or (_LOAD.search(said) and not _QUOTA.search(said)))
