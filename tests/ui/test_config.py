"""The server's defaults are the safe ones."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from core.ui.charts import DARK, LIGHT, Palette

CONFIG = tomllib.loads((Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("server", "address", "127.0.0.1"),
        ("server", "enableCORS", True),
        ("server", "enableXsrfProtection", True),
        ("client", "showErrorDetails", "none"),
        ("client", "toolbarMode", "viewer"),
        ("client", "disableDataExport", True),
        ("browser", "gatherUsageStats", False),
    ],
)
def test_the_safe_value_is_set(section: str, option: str, value: object) -> None:
    assert CONFIG[section][option] == value


def test_uploads_are_small() -> None:
    assert CONFIG["server"]["maxUploadSize"] <= 10


@pytest.mark.parametrize(("theme", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_charts_and_theme_share_their_colours(theme: str, palette: Palette) -> None:
    colors = CONFIG["theme"][theme]
    assert set(colors["chartCategoricalColors"]) == set(palette.stages)
    assert colors["backgroundColor"] == palette.surface
    assert colors["textColor"] == palette.text


def test_the_fonts_are_on_the_viewers_machine_and_know_korean() -> None:
    font = CONFIG["theme"]["font"]
    assert "http" not in font
    assert {"Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans KR"} <= {f.strip() for f in font.split(",")}
    assert "fontFaces" not in CONFIG["theme"]
