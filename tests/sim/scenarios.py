"""The servers and days on which limits are judged. Laws in seconds; one output token is one unit of work."""

from __future__ import annotations

import math

from tests.sim.demand import Demand, answers, restaurants, shifting
from tests.sim.server import Law
from tests.sim.world import Event, Scenario, World

GRID = (2, 4, 6, 8, 12, 16, 23, 32, 45, 64, 90, 128, 181, 256, 362, 512, 724, 1024)
GPU = Law(step_s=0.020, step_per_seat_s=0.000_15, seats=256, prefill_s=0.004, prefill_per_token_s=0.000_01)
SMALL = Law(step_s=0.020, step_per_seat_s=0.000_15, seats=64, prefill_s=0.004, prefill_per_token_s=0.000_01)
MEMORY = Law(0.020, 0.000_15, 256, 0.004, 0.000_02, kv_tokens=70_000)
LONG = Demand(answers(200, 0.4))
SEARCHES = Demand(None, service_s=1.5, service_cv=0.5)


def seats(count: int, queue: int | None = None) -> Law:
    """A server of so many seats that serves each call at the same speed."""
    return Law(step_s=1.0, seats=count, queue=queue)


def slower(at: float, factor: float) -> Event:
    """From then on everything takes that many times as long."""
    return Event(at, lambda world: world.server.change(factor, world.now))


def neighbour(at: float, calls: int) -> Event:
    """A neighbour comes who keeps so many calls of 200 tokens going."""

    def come(world: World) -> None:
        for number in range(calls):
            world.join(600, 100 + 200 * number // calls)

    return Event(at, come)


def day(seconds: float, period: float = 400.0, depth: float = 0.3) -> tuple[Event, ...]:
    """A speed that swings like a sine, in steps of five seconds."""
    times = [5.0 * step for step in range(int(seconds / 5))]
    return tuple(slower(at, 1 + depth * math.sin(2 * math.pi * at / period)) for at in times)


def outage(at: float, seconds: float = 60.0) -> Event:
    """Nobody answers for so long."""
    return Event(at, lambda world: world.outage(seconds))


WARMING = tuple(slower(3.0 * step, max(1.0, 4 - step / 3)) for step in range(10))

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("batch 256", GPU, LONG),
        Scenario("batch 64", SMALL, LONG),
        Scenario("memory", MEMORY, LONG),
        Scenario("32 seats", seats(32), SEARCHES),
        Scenario("8 seats", seats(8), SEARCHES),
        Scenario("2 seats", seats(2), SEARCHES),
        Scenario("8 seats, queue of 4", seats(8, 4), SEARCHES, limits=(2, 4, 6, 8, 10, 12, 13)),
        Scenario("slower by half", GPU, LONG, events=(slower(250, 2.0),)),
        Scenario("neighbour", GPU, LONG, events=(neighbour(250, 80),), limits=GRID[:14]),
        Scenario("day", SMALL, LONG, events=day(720)),
        Scenario("longer answers", MEMORY, Demand(shifting(250, answers(140, 0.4), answers(280, 0.4)))),
        Scenario("cold start", SMALL, LONG, events=WARMING),
        Scenario("stray", SMALL, LONG, stray=0.03, stray_busy=True),
        Scenario("restaurants", Law(0.014, 0.000_14, 128, 0.004, 0.000_02), Demand(restaurants())),
    )
}
