"""Every mistake in a workload file is an error that names the file, the line, the value and the way out."""

# ruff: noqa: E501 - a mistake and what is said about it stand on one line

from __future__ import annotations

from pathlib import Path

import pytest

from core.base.errors import WorkloadError
from core.base.workload_files import load_workload
from tests.base.writing import ASPECTS, PROMPTS, here, write

QUERY = 'query = "how is the service?"\n'
CARDS = """\
title = "Cards"
[parts.card]
from = "cards"
[[stage]]
id = "summary"
kind = "llm"
each = "card"
"""


def swap(old: str, new: str, text: str = ASPECTS) -> str:
    assert old in text
    return text.replace(old, new, 1)


def stage(more: str) -> str:
    """The valid file with lines added to its last stage."""
    return ASPECTS + more


MISTAKES = {
    "no title": (swap('title = "Reviews"', "# HERE"), "'title' is missing"),
    "empty title": (swap('title = "Reviews"', 'title = " " # HERE'), "'title' is empty"),
    "title not a text": (swap('title = "Reviews"', "title = 3 # HERE"), "title = 3: must be a string"),
    "not TOML": (stage("model = = 1 # HERE\n"), "not valid TOML"),
    "a text that never ends": (swap('title = "Reviews"', 'title = "Reviews # HERE'), "not valid TOML"),
    "a key twice": (swap('title = "Reviews"\n', 'title = "Reviews"\ntitle = "x" # HERE\n'), "not valid TOML"),
    "unknown key at the top": (swap("[[parts", 'titel = "x" # HERE\n[[parts'), "'titel'; did you mean 'title'?"),
    "unknown key in a stage": (stage("max_token = 1 # HERE\n"), "'max_token'; did you mean 'max_tokens'?"),
    "unknown key in a value": (swap(QUERY, QUERY + 'weight = "x" # HERE\n'), "unknown key 'weight'; known are id,"),
    "unknown key in a part kind": (CARDS + '[parts.card.query] # HERE\na = "b"\n', "unknown key 'query'"),
    "description not a text": ("description_ko = true # HERE\n" + ASPECTS, "must be a string"),
    "no stage": ('title = "Reviews" # HERE\n', "no stage"),
    "stages not tables": ('title = "Reviews"\nstage = ["x"] # HERE\n', "stage[0] = 'x': must be a table"),
    "stage not a list": ('title = "Reviews"\nstage = 1 # HERE\n', "([[stage]])"),
    "no stage id": (swap('id = "total"\n', "", ASPECTS.replace('[[stage]]\nid = "total"', '[[stage]] # HERE\nid = "total"')), "'id' is missing"),
    "bad stage id": (swap('id = "total"', 'id = "to tal" # HERE'), "'to tal': a letter, then"),
    "stage id twice": (swap('id = "total"', 'id = "summary" # HERE'), "'summary' is there twice"),
    "unknown stage kind": (stage("").replace('kind = "llm"\nafter = ["summary"]', 'kind = "lm" # HERE'), "'lm'; did you mean 'llm'?"),
    "unknown part kind": (stage('each = "aspects" # HERE\n'), "no [parts.aspects]; did you mean 'aspect'?"),
    "unknown stage after": (swap('after = ["summary"]', 'after = ["sumary"] # HERE'), "'sumary', which is no stage; did you mean 'summary'?"),
    "after twice": (swap('after = ["summary"]', 'after = ["summary", "summary"] # HERE'), "twice in after"),
    "after itself": (swap('after = ["summary"]', 'after = ["total"] # HERE'), "total -> total"),
    "after not a list": (swap('after = ["summary"]', 'after = "summary" # HERE'), "after = 'summary': must be a list of strings"),
    "after holds a number": (swap('after = ["summary"]', 'after = [\n"summary",\n3, # HERE\n]'), "after[1] = 3: must be a text"),
    "batch_size 0": (swap('after = ["search"]', 'after = ["search"]\nbatch_size = 0 # HERE'), "batch_size = 0: must be 1 or more"),
    "batch without parts": (stage("batch_size = 2 # HERE\n"), "a stage once per item has no parts"),
    "max_tokens 0": (stage("max_tokens = 0 # HERE\n"), "max_tokens = 0: must be 1 or more"),
    "max_tokens a float": (stage("max_tokens = 1.5 # HERE\n"), "max_tokens = 1.5: must be a whole number"),
    "max_tokens a flag": (stage("max_tokens = true # HERE\n"), "max_tokens = True: must be a whole number"),
    "attempts 0": (stage("attempts = 0 # HERE\n"), "attempts = 0: must be 1 or more"),
    "temperature": (stage("temperature = 2.5 # HERE\n"), "temperature = 2.5: must be a number from 0 to 2"),
    "temperature nan": (stage("temperature = nan # HERE\n"), "must be a number from 0 to 2"),
    "timeout": (stage("timeout_s = 0 # HERE\n"), "timeout_s = 0: must be a number from 0.1 to 3600"),
    "skip_empty": (stage("skip_empty = 1 # HERE\n"), "skip_empty = 1: must be true or false"),
    "fallback": (stage('fallback = [""] # HERE\n'), "fallback[0] = '': must be a text"),
    "max_concurrent 0": ("max_concurrent = 0 # HERE\n" + ASPECTS, "max_concurrent = 0: must be 1 or more"),
    "sample missing": ('sample = "none.jsonl" # HERE\n' + ASPECTS, "there is no file"),
    "a search with tokens": (swap('kind = "search"\n', 'kind = "search"\nmax_tokens = 9 # HERE\n'), "max_tokens is for llm stages"),
    "a search without parts": (swap('each = "aspect"\n', "", ASPECTS.replace('[[stage]]\nid = "search"', '[[stage]] # HERE\nid = "search"')), "needs each"),
    "a search after a stage": (swap('kind = "search"\n', 'kind = "search"\nafter = ["total"] # HERE\n'), "cannot be after another stage"),
    "a search without queries": (swap(QUERY, "", swap('each = "aspect"\n', 'each = "aspect" # HERE\n')), "part 'service' has no query"),
    "a part id twice": (swap('id = "price"', 'id = "service" # HERE'), "'service' is there twice"),
    "a part id with a bracket": (swap('id = "price"', 'id = "pr]ice" # HERE'), "part id 'pr]ice'"),
    "a part without id": (swap('[[parts.aspect.values]]\nid = "price"\n', "[[parts.aspect.values]] # HERE\n"), "'id' is missing"),
    "a limit of 0": (swap(QUERY, QUERY + "limit = 0 # HERE\n"), "limit = 0: must be 1 or more"),
    "a cutoff that is text": (swap(QUERY, QUERY + 'cutoff = "high" # HERE\n'), "cutoff = 'high': must be a number"),
    "keywords without a query": (swap(QUERY, 'keywords = ["x"] # HERE\n'), "keywords without a query"),
    "an empty phrasing": (swap(QUERY, 'phrasings = ["a", " "] # HERE\n'), "phrasings[1] = ' ': must be a text"),
    "no values and no source": (swap('from = "cards"', "", CARDS.replace("[parts.card]", "[parts.card] # HERE")), "one of the two"),
    "values and a source": (swap("[parts.card]", '[parts.card] # HERE\nvalues = [{id = "a"}]', CARDS), "one of the two"),
    "empty values": (swap('from = "cards"', "values = [] # HERE", CARDS), "has 0 values"),
    "a part kind that is no table": ('title = "x"\n[parts]\ncard = 3 # HERE\n', "card = 3: must be a table"),
    "no prompt file": (stage('prompt = "nowhere" # HERE\n'), "prompt 'nowhere' of stage 'total' is missing. Write"),
    "no prompt file of the stage's own name": (swap('id = "total"', 'id = "totals" # HERE'), "prompt 'totals' of stage 'totals'"),
    "a prompt in another folder": (stage('prompt = "../total" # HERE\n'), "a name without folders"),
    "another part kind after": (
        swap('[[stage]]\nid = "total"\nkind = "llm"\n', '[parts.card]\nfrom = "cards"\n[[stage]]\nid = "total"\nkind = "llm"\neach = "card" # HERE\n'),
        "is each 'card' after 'summary', which is each 'aspect'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_a_mistake_names_its_file_and_line(tmp_path: Path, mistake: str) -> None:
    """The message begins `file:line:` with the line of the key that is wrong, and says what to do."""
    toml, says = MISTAKES[mistake]
    path = write(tmp_path, toml)
    line = here(toml)
    with pytest.raises(WorkloadError) as caught:
        load_workload(path)
    assert str(caught.value).startswith(f"{path}:{line}: "), str(caught.value)
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_cycle_names_its_stages(tmp_path: Path) -> None:
    """Stages that wait for each other are an error at the first of them, with the whole ring; others are left out."""
    toml = 'title = "x"\n'
    for name, after in (("a", []), ("b", ["a", "d"]), ("c", ["b"]), ("d", ["c"]), ("e", ["d"])):
        toml += f'[[stage]]\nid = "{name}"\nkind = "llm"\nprompt = "total"\nafter = {after}\n'
    path = write(tmp_path, toml)
    with pytest.raises(WorkloadError) as caught:
        load_workload(path)
    assert str(caught.value).startswith(f"{path}:11: stages wait for each other: b -> d -> c -> b.")


@pytest.mark.parametrize(
    ("raw", "line", "says"),
    [(b'title = "x"\ny = "\xff"\n', 2, "not UTF-8"), (b"#" * 1_000_001, 1, "at most 1000000 are read")],
)
def test_what_is_no_text_is_refused(tmp_path: Path, raw: bytes, line: int, says: str) -> None:
    """A file that is not UTF-8, or far too big, is an error before anything is parsed."""
    path = tmp_path / "x.toml"
    path.write_bytes(raw)
    with pytest.raises(WorkloadError, match=says) as caught:
        load_workload(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A missing file is an error of the workload, not a traceback."""
    with pytest.raises(WorkloadError, match="cannot be read"):
        load_workload(tmp_path / "none.toml")


PROMPT_MISTAKES = {
    "unknown placeholder": ("# User\n\n{{results}} {{itm}} HERE\n", "total", "no placeholder {{itm}}; did you mean 'item'?"),
    "evidence without a search": ("{{results}}\n{{evidence}} HERE\n", "total", "no placeholder {{evidence}}"),
    "a part once per item": ("{{part}} HERE\n", "total", "no placeholder {{part}}"),
    "results without a stage": ("{{evidence}}\n{{results}} HERE\n", "summary", "no placeholder {{results}}"),
    "results of another stage": ("{{results.search}} HERE\n", "total", "did you mean 'results.summary'?"),
    "data in the system text": ("# System\nFor {{item}} HERE\n# User\n{{results}}\n", "total", "the system text of stage 'total'"),
    "a field in the system text": ("# System\n{{field.city}} HERE\n# User\n{{results}}\n", "total", "no placeholder {{field.city}}"),
    "a field without a name": ("{{field.}} HERE\n", "total", "no placeholder {{field.}}"),
    "an empty placeholder": ("a\nb\n{{}} HERE\n", "total", "no placeholder {{}}"),
    "a lone opening": ("{{results}}\n{{item HERE\n", "total", "a lone {{"),
    "a lone closing": ("{{results}}\n\nitem}} HERE\n", "total", "a lone }}"),
    "no user text": ("# User\n \n", "total", "no user text"),
    "no user section": ("# System\nOnly rules.\n", "total", "no `# User` section"),
    "two user sections": ("# User\n{{results}}\n# User\nHERE\n", "total", "a second `# User` section"),
    "text before the headings": ("Hello HERE\n# User\n{{results}}\n", "total", "text before the first heading"),
    "far too long": ("x" * 50_001, "total", "at most 50000"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", list(PROMPT_MISTAKES))
def test_a_mistake_in_a_prompt_names_the_prompt_file_and_line(tmp_path: Path, mistake: str) -> None:
    """Placeholders are checked against what the stage has, on loading, at their line of the prompt file."""
    text, name, says = PROMPT_MISTAKES[mistake]
    line = {"two user sections": 3}.get(mistake) or (here(text) if "HERE" in text else 1)
    path = write(tmp_path, prompts={**PROMPTS, name: text})
    prompt = path.parent.parent / "prompts" / f"{name}.md"
    with pytest.raises(WorkloadError) as caught:
        load_workload(path)
    assert str(caught.value).startswith(f"{prompt}:{line}: "), str(caught.value)
    assert says in str(caught.value)


def test_a_batch_has_no_single_part(tmp_path: Path) -> None:
    """The prompt of a stage with several parts per call may not speak of {{part}}, only of {{parts}}."""
    path = write(tmp_path, CARDS + "batch_size = 3\n", prompts={"summary": "One\n{{part}}\n"})
    with pytest.raises(WorkloadError, match=r"summary\.md:2: .*\{\{part\}\}; did you mean 'parts'"):
        load_workload(path)


def test_a_prompt_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A prompt that is no UTF-8 text is an error with its path."""
    path = write(tmp_path)
    prompt = path.parent.parent / "prompts" / "total.md"
    prompt.write_bytes(b"\xff\xfe")
    with pytest.raises(WorkloadError, match="must be a UTF-8 text file") as caught:
        load_workload(path)
    assert str(caught.value).startswith(f"{prompt}:1: ")
