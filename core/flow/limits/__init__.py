"""Algorithms that size a gate: facts in, `(limit, reason)` out."""

from core.flow.limits.aimd import AimdLimit
from core.flow.limits.fixed import FixedLimit
from core.flow.limits.knee import KneeLimit
from core.flow.limits.point import Point
from core.flow.limits.protocol import Gauges, Limit, LimitChange, Sample

__all__ = ["AimdLimit", "FixedLimit", "Gauges", "KneeLimit", "Limit", "LimitChange", "Point", "Sample"]
