"""Foreign text in places that read markup.

Whatever a model, a reviewer or a file said is shown by `st.text`, `st.code` and `st.dataframe`, which read no markup.
Labels (buttons, metrics, expanders) read Markdown and Plotly reads a little HTML: these two functions are for them.
"""

from __future__ import annotations

import html
import re
import unicodedata

_MARKUP = re.compile(r"([!-/:-@\[-`{-~])")
_JOINER = "\u2060"  # invisible; keeps renderers from seeing an address or a directive in what is left


def one_line(text: str, length: int = 80) -> str:
    """The text without control characters and line breaks, cut to a length."""
    clean = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in text)
    clean = " ".join(clean.split())
    return clean if len(clean) <= length else f"{clean[: length - 1].rstrip()}…"


def label(text: str, length: int = 80) -> str:
    """The text for a Markdown label: every mark escaped, no link, image or directive survives."""
    escaped = _MARKUP.sub(r"\\\1", one_line(text, length))
    return re.sub(r"(\\[:.@$])", rf"\1{_JOINER}", escaped)


def chart(text: str, length: int = 60) -> str:
    """The text for a Plotly label or hover box: its HTML subset escaped."""
    return html.escape(one_line(text, length)).replace("%{", "% {").replace("$", "＄")
