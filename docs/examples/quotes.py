"""A model that is a Python function: it answers with the first sentences of the evidence, each with its citation.

It needs nothing but Python and is real, if modest. In brigade.toml:

    [[endpoint]]
    name = "quotes"
    kind = "callable"
    function = "quotes:generate"
    models = ["quotes"]
"""

import re

LINE = re.compile(r"^\[([^\]\s]+)\](?: \(r\d+[^)]*\))? (.+)$", re.MULTILINE)


def generate(messages: list[dict[str, str]], max_tokens: int) -> dict[str, object]:
    """Whole lines of the data in the last message, up to 40 words (or max_tokens of them)."""
    prompt = messages[-1]["content"]
    chosen: list[str] = []
    words = 0
    for label, line in LINE.findall(prompt):
        words += len(line.split())
        if chosen and words > min(max_tokens, 40):
            break
        # A numbered sentence is cited; an earlier summary has its citations already.
        chosen.append(f"{line.rstrip('.!? ')} [{label}]." if label.isdigit() else line)
    text = " ".join(chosen) or "Little is said about it."
    return {"text": text, "input_tokens": len(prompt.split()), "output_tokens": len(text.split())}
