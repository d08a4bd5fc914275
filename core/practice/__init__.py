"""The practice server: a real HTTP LLM server with simulated speed, for tests, demonstrations and rehearsals."""

from core.practice.presets import PRESETS, Preset
from core.practice.running import PracticeProcess, serve

__all__ = ["PRESETS", "PracticeProcess", "Preset", "serve"]
