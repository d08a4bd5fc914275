"""Workload files: finding them, and reading one from TOML with every mistake named by file and line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from core.base.errors import UnknownError, WorkloadError
from core.base.prompt_files import read_prompt
from core.base.records import Query
from core.base.stage_order import in_order
from core.base.toml_tables import Table, read_table, suggestion
from core.base.workload import Part, PartKind, Prompt, Stage, Workload

WORKLOADS = Path(__file__).parents[2] / "data" / "workloads"
STAGE_KINDS = ("search", "llm")
PART_ID = re.compile(r"[^\s\"'<>\[\]{},;\\]{1,64}")
_STAGE_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_LLM_KEYS = (
    "prompt", "model", "fallback", "fallback_on_refusal", "max_tokens", "temperature", "skip_empty", "first_byte_s",
    "idle_s",
)  # fmt: skip
_MOST_PARTS = 1000


def list_workloads(folder: Path = WORKLOADS) -> dict[str, Path]:
    """The workload files of a folder by id, in the ids' order."""
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_workload(name_or_path: str | Path, folder: Path = WORKLOADS) -> Workload:
    """A workload by its id in the folder or by its file's path; UnknownError lists the known ones."""
    known = list_workloads(folder)
    name = str(name_or_path)
    if name in known:
        return load_workload(known[name])
    path = Path(name_or_path)
    if path.suffix == ".toml" and path.is_file():
        return load_workload(path)
    msg = f"There is no workload {name!r} in {folder}{suggestion(name, known)}"
    raise UnknownError(msg)


def load_workload(path: Path) -> Workload:
    """Read and check a workload file; WorkloadError begins with `file:line:`."""
    root = read_table(Path(path), WorkloadError)
    texts = {key: root.text(key) for key in ("title_ko", "description", "description_ko")}
    title, kind = root.name("title"), root.text("item_kind", "restaurant")
    sample = _sample(root)
    most = root.whole("max_concurrent", 0) if "max_concurrent" in root else None
    parts = _part_kinds(root)
    tables = root.tables("stage")
    if not tables:
        root.fail("stage", "the workload has no stage. Add a [[stage]] with id and kind.")
    stages = in_order(tables, [_stage(t, parts) for t in tables], parts)
    prompts = _prompts(tables, stages, Path(path))
    root.known.append("max_concurrent")
    root.done()
    return Workload(
        id=Path(path).stem,
        title=title,
        stages=stages,
        parts=parts,
        prompts=prompts,
        item_kind=kind,
        sample=sample,
        max_concurrent=most,
        path=Path(path),
        **texts,
    )


def _sample(root: Table) -> Path | None:
    """The file of sample items; its place is relative to the workload file."""
    name = root.text("sample")
    if not name:
        return None
    path = root.source.path.parent / name
    if not path.is_file():
        root.fail("sample", f"sample = {name!r}: there is no file {path}.")
    return path


def _part_kinds(root: Table) -> dict[str, PartKind]:
    tables = root.table("parts")
    kinds = {}
    for name in tables.data:
        kinds[name] = _part_kind(tables.table(name), name)
    return kinds


def _part_kind(table: Table, name: str) -> PartKind:
    """`values` fixed in the file or `from`, a list field of each item: exactly one of them."""
    source, title, values = table.text("from"), table.text("title_from"), table.tables("values")
    table.done()
    if bool(source) == ("values" in table):
        table.fail("", f'part kind {name!r} needs either values = [...] or from = "FIELD", one of the two.')
    if source:
        return PartKind(name, source=source, title_from=title or None)
    if not 0 < len(values) <= _MOST_PARTS:
        table.fail("values", f"part kind {name!r} has {len(values)} values; 1 to {_MOST_PARTS} are possible.")
    return PartKind(name, _unique([_part(value) for value in values], values))


def _unique(parts: Sequence[Part], tables: Sequence[Table]) -> tuple[Part, ...]:
    seen: set[str] = set()
    for part, table in zip(parts, tables, strict=True):
        if part.id in seen:
            table.fail("id", f"part id {part.id!r} is there twice. Give each part its own id.")
        seen.add(part.id)
    return tuple(parts)


def _part(table: Table) -> Part:
    part_id = table.name("id")
    if not PART_ID.fullmatch(part_id):
        table.fail("id", f"part id {part_id!r}: up to 64 characters without spaces, quotes, brackets and commas.")
    title, title_ko = table.text("title", part_id), table.text("title_ko")
    query, fields = _query(table, part_id), table.plain("fields")
    table.done()
    return Part(part_id, title, title_ko, fields, query)


def _query(table: Table, part_id: str) -> Query | None:
    """What a search stage asks for this part; None where the file gives no phrasing."""
    one, many = table.text("query"), table.texts("phrasings")
    contrast, keywords = table.texts("contrast"), table.texts("keywords")
    cutoff = table.number("cutoff", 0.0) if "cutoff" in table else None
    limit, keep = table.whole("limit", Query("", ()).limit), table.whole("keep", Query("", ()).keep, least=0)
    table.known.append("cutoff")
    phrasings = tuple(dict.fromkeys(([one] if one else []) + list(many)))
    if not phrasings:
        for key in ("contrast", "keywords", "cutoff", "limit", "keep"):
            if key in table:
                table.fail(key, f'{key} without a query. Add query = "..." to part {part_id!r}.')
        return None
    return Query(part_id, phrasings, contrast, keywords, cutoff, limit, keep)


def _stage(table: Table, parts: dict[str, PartKind]) -> Stage:
    """One [[stage]] on its own; how it stands to the others is checked by `in_order`."""
    stage_id, kind = table.name("id"), table.name("kind")
    if not _STAGE_ID.fullmatch(stage_id):
        table.fail("id", f"stage id {stage_id!r}: a letter, then up to 63 letters, digits, _ or -.")
    if kind not in STAGE_KINDS:
        table.fail("kind", f"stage kind {kind!r}{suggestion(kind, STAGE_KINDS)}")
    each = table.text("each") or None
    if each and each not in parts:
        table.fail("each", f"each = {each!r}: there is no [parts.{each}]{suggestion(each, parts)}")
    _only_for_models(table, kind)
    stage = Stage(
        id=stage_id,
        kind=kind,
        each=each,
        after=table.texts("after"),
        title=table.text("title", stage_id.replace("_", " ").capitalize()),
        title_ko=table.text("title_ko"),
        prompt=(table.text("prompt") or stage_id) if kind == "llm" else "",
        batch_size=table.whole("batch_size", 1) if "batch_size" in table else 0,
        model=table.text("model") or None,
        fallback=table.texts("fallback"),
        max_tokens=table.whole("max_tokens", 256),
        temperature=table.number("temperature", 0.0, least=0.0, most=2.0),
        timeout_s=table.number("timeout_s", 60.0, least=0.1, most=3600.0),
        first_byte_s=_seconds(table, "first_byte_s"),
        idle_s=_seconds(table, "idle_s"),
        attempts=table.whole("attempts", 3),
        skip_empty=table.flag("skip_empty", default=True),
        fallback_on_refusal=table.flag("fallback_on_refusal", default=False),
        written=frozenset(table.data),
    )
    table.known.append("batch_size")
    if stage.batch_size > 1 and not each:
        table.fail("batch_size", f"batch_size = {stage.batch_size}: a stage once per item has no parts. Add each = ...")
    table.done()
    return stage


def _seconds(table: Table, key: str) -> float | None:
    """A deadline of a streamed answer; None where the file sets none."""
    given = table.number(key, 60.0, least=0.1, most=3600.0)
    return given if key in table else None


def _only_for_models(table: Table, kind: str) -> None:
    if kind == "search":
        for key in _LLM_KEYS:
            if key in table:
                table.fail(key, f"{key} is for llm stages; a search stage calls no model.")


def _prompts(tables: Sequence[Table], stages: Sequence[Stage], path: Path) -> dict[str, Prompt]:
    """The prompt of every llm stage, with its placeholders checked against what the stage has."""
    by_id = {stage.id: stage for stage in stages}
    prompts: dict[str, Prompt] = {}
    for table in tables:
        stage = by_id[table.data["id"].strip()]
        if stage.kind == "llm":
            prompts[stage.prompt] = read_prompt(_prompt_path(table, stage, path), stage, by_id)
    return prompts


def _prompt_path(table: Table, stage: Stage, path: Path) -> Path:
    """`NAME.md` in the folder `../prompts` of the workload file, or beside it."""
    places = [path.parent.parent / "prompts" / f"{stage.prompt}.md", path.parent / f"{stage.prompt}.md"]
    if Path(stage.prompt).name != stage.prompt:
        table.fail("prompt", f"prompt {stage.prompt!r}: a name without folders, its file is data/prompts/NAME.md.")
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        key = "prompt" if "prompt" in table else "id"
        table.fail(key, f"prompt {stage.prompt!r} of stage {stage.id!r} is missing. Write {places[0]}.")
    return found
