"""Which of the servers that a run would tune it may: one tuner per address among all runs of a database."""

from __future__ import annotations

import asyncio

from core.base.clock import Clock
from core.pipeline.lane_tuner import LaneTuner
from core.pipeline.pool import Lane
from core.store import Store

LOOK_S = 0.1
RENEW_S = 4.0


class Claims:
    """Claims the addresses of a run's lanes, keeps them, and asks again for those that another run has."""

    def __init__(self, store: Store, run_id: str, owner: str, tuner: LaneTuner, clock: Clock) -> None:
        self._store = store
        self._run_id = run_id
        self._owner = owner
        self._tuner = tuner
        self._clock = clock
        self._asked: dict[Lane, float] = {}
        tuner.claiming = True

    def __repr__(self) -> str:
        return f"<Claims {self._run_id}, {len(self._asked)} addresses>"

    async def attend(self) -> None:
        """Claim what is new within a moment and renew every few seconds, until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_S)

    async def look(self) -> None:
        """Claim what is due; what is no longer tuned here is given back."""
        lanes = self._tuner.unclaimed()
        if self._asked and not lanes:
            self._asked.clear()
            await self.release()
        now = self._clock.monotonic()
        for lane in lanes:
            if now - self._asked.get(lane, -RENEW_S) >= RENEW_S:
                self._asked[lane] = now
                claim = self._store.tuners.claim
                self._tuner.claimed(lane, await asyncio.to_thread(claim, lane.address, self._run_id, self._owner))

    async def release(self) -> None:
        """Give everything back."""
        await asyncio.to_thread(self._store.tuners.release, self._run_id, self._owner)
