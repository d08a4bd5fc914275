"""Algorithms that size a gate: facts in, `(limit, reason)` out."""

from core.flow.limits.aimd import AimdLimit
from core.flow.limits.cohort import Cohort, Lengths
from core.flow.limits.fixed import FixedLimit
from core.flow.limits.knee import KneeLimit
from core.flow.limits.point import Point
from core.flow.limits.protocol import Gauges, Limit, LimitChange, Sample
from core.flow.limits.sweep import SweepLimit, calls_needed

__all__ = [
    "AimdLimit",
    "Cohort",
    "FixedLimit",
    "Gauges",
    "KneeLimit",
    "Lengths",
    "Limit",
    "LimitChange",
    "Point",
    "Sample",
    "SweepLimit",
    "calls_needed",
]
