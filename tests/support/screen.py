"""What tests say about a page that `AppTest` ran."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

OpenPage = Callable[..., AppTest]
KINDS = ("title", "subheader", "header", "caption", "text", "markdown", "error", "warning", "info", "code", "button")


def words(app: AppTest) -> str:
    """Everything the page says, for `in` checks."""
    told = [str(getattr(e, "label", "") or e.value) for kind in KINDS for e in getattr(app, kind)]
    told += [f"{m.label} {m.value}" for m in app.metric]
    return "\n".join(told)
