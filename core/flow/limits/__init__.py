"""Algorithms that size a gate: facts in, `(limit, reason)` out."""

from core.flow.limits.protocol import Gauges, Limit, LimitChange, Sample

__all__ = ["Gauges", "Limit", "LimitChange", "Sample"]
