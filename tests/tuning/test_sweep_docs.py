"""docs/practice.md says what the presets are."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.practice import PRESETS

DOC = (Path(__file__).parents[2] / "docs" / "practice.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_preset_has_its_row(preset: str) -> None:
    """A new preset is documented with what it imitates, its law and its knee."""
    rows = [line for line in DOC.splitlines() if line.startswith(f"| `{preset}` |")]
    assert len(rows) == 1
    assert all(cell.strip() for cell in rows[0].strip("|").split("|"))


def test_the_formulas_hold_the_presets_numbers() -> None:
    """The law in the document is that of the code."""
    gpu, memory, api = PRESETS["single-gpu-8b"], PRESETS["kv-limited"], PRESETS["api-rpm"]
    assert f"t(b) = {1000 * gpu.step_s:g} ms + {1000 * gpu.step_per_seat_s:g} ms b" in DOC
    assert f"{gpu.seats} seats" in DOC
    assert f"{memory.kv_tokens:,} tokens" in DOC
    assert f"{1000 * api.step_s:g} ms a token whatever the load; {api.rpm} requests and {api.tpm:,} tokens" in DOC


def test_the_knee_of_the_gpu_is_what_its_law_says() -> None:
    """115 is the smallest batch with 95 % of what 128 seats decode."""
    gpu = PRESETS["single-gpu-8b"]
    rates = {b: b / gpu.step(b) for b in range(1, gpu.seats + 1)}
    assert min(b for b, rate in rates.items() if rate >= 0.95 * rates[gpu.seats]) == 115
