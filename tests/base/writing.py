"""Workload files for tests: written into a folder as they are shipped, with `# HERE` on the line that is wrong."""

from __future__ import annotations

from pathlib import Path

ASPECTS = """\
title = "Reviews"
[[parts.aspect.values]]
id = "service"
query = "how is the service?"
[[parts.aspect.values]]
id = "price"
query = "how are the prices?"
[[stage]]
id = "search"
kind = "search"
each = "aspect"
[[stage]]
id = "summary"
kind = "llm"
each = "aspect"
after = ["search"]
[[stage]]
id = "total"
kind = "llm"
after = ["summary"]
"""
PROMPTS = {
    "summary": "# System\nWrite {{language}}.\n# User\n{{item}}, {{part}}:\n{{evidence}}\n",
    "total": "{{item}}:\n{{results}}\n",
}


def write(folder: Path, toml: str = ASPECTS, prompts: dict[str, str] | None = None, name: str = "reviews") -> Path:
    """A workload file with its prompts in the sibling folder; the workload's path."""
    (folder / "workloads").mkdir(exist_ok=True)
    (folder / "prompts").mkdir(exist_ok=True)
    for prompt, text in (PROMPTS if prompts is None else prompts).items():
        (folder / "prompts" / f"{prompt}.md").write_text(text, encoding="utf-8")
    path = folder / "workloads" / f"{name}.toml"
    path.write_text(toml, encoding="utf-8")
    return path


def here(text: str) -> int:
    """The 1-based line that is marked."""
    return next(n for n, line in enumerate(text.splitlines(), 1) if "HERE" in line)
