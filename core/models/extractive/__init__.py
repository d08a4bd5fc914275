"""The embedded model: it picks, tidies and orders sentences of the evidence, with citations, and writes none."""

from core.models.extractive.model import ExtractiveModel

__all__ = ["ExtractiveModel"]
