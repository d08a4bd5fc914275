"""A Python function as a model: finding it by its import path, what it is called with, what it may return."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from core.base.errors import ConfigError
from core.base.records import ModelReply, ModelRequest, Usage
from core.models.redaction import redact
from core.models.replies import build_reply, malformed, token_count
from core.models.tokens import estimate_tokens

PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
Function = Callable[..., Any]
_Kind = inspect.Parameter
_OFFERED = ("model", "max_tokens", "temperature", "stop", "json")


def find(path: str) -> Function:
    """The function that `package.module:name` names (importing may take long); ConfigError says what to do."""
    module_name, _, name = path.partition(":")
    if not PATH.fullmatch(path):
        msg = f'function = {path!r}: it is written "package.module:name", such as "my_models.local:generate".'
        raise ConfigError(msg)
    found = _module(module_name, path)
    for step in name.split("."):
        if not hasattr(found, step):
            msg = f"function = {path!r}: {module_name} is there, but has no {name}. Check the name after the colon."
            raise ConfigError(msg)
        found = getattr(found, step)
    if not callable(found):
        msg = f"function = {path!r}: that is a {type(found).__name__}, which cannot be called. Name a function."
        raise ConfigError(msg)
    return _checked(found, path)


def _module(name: str, path: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        where = "Install it, or start where it lies or with its folder in PYTHONPATH."
        reason = f"there is no module {exc.name!r}. {where}"
    except Exception as exc:  # noqa: BLE001 - a module may raise anything
        reason = f"importing {name} raised {described(exc)}"
    msg = f"function = {path!r}: {reason}"
    raise ConfigError(msg)


def _checked(function: Function, path: str) -> Function:
    """The function, if a call can give it all it needs."""
    if (parameters := _parameters(function)) is None:
        return function
    takes_messages = parameters and parameters[0].kind not in (_Kind.KEYWORD_ONLY, _Kind.VAR_KEYWORD)
    lacking = [p.name for p in parameters[1:] if _is_needed(p) and p.name not in _OFFERED]
    if lacking or not takes_messages:
        needs = f"it also needs {', '.join(lacking)}" if lacking else "it takes no messages"
        offered = ", ".join(_OFFERED)
        msg = (
            f"function = {path!r}: {needs}. It is called with the messages, and by name with what it has of {offered}."
        )
        raise ConfigError(msg)
    return function


def _parameters(function: Function) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C: it does not say
        return None


def _is_needed(parameter: inspect.Parameter) -> bool:
    is_many = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return not is_many and parameter.default is parameter.empty


def wanted(function: Function) -> frozenset[str]:
    """Which facts of a request, besides the messages, the function takes by name."""
    parameters = (_parameters(function) or [])[1:]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return frozenset(_OFFERED)
    return frozenset(p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)) & {*_OFFERED}


def call(function: Function, names: frozenset[str], request: ModelRequest) -> Any:
    """Call it for a request: messages as dictionaries of role and content, the rest by name."""
    facts = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "stop": list(request.stop),
        "json": request.json,
    }
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    return function(messages, **{name: facts[name] for name in names})


def reply_of(value: Any, request: ModelRequest) -> ModelReply:
    """The reply that a function returned: a text, or text and token counts as a mapping or as attributes.

    Counts that are missing are estimated. MalformedError for anything else and for an empty text.
    """
    if isinstance(value, str):
        value = {"text": value}
    told = _reader(value)
    text = told("text")
    if not isinstance(text, str):
        raise malformed(f"is a {type(value).__name__} without a text: a function returns a str, or text and tokens")
    return build_reply(text, told("finish"), request, _usage(told, text, request), request.model)


def _reader(value: Any) -> Callable[[str], Any]:
    """What looks a name up in a mapping's keys or in a record's attributes; None where it is not there."""
    if isinstance(value, Mapping):
        get: Callable[[str], Any] = value.get
        return get
    return lambda name: getattr(value, name, None)


def _usage(told: Callable[[str], Any], text: str, request: ModelRequest) -> Usage:
    read, written = token_count(told("input_tokens")), token_count(told("output_tokens"))
    if read is not None and written is not None:
        return Usage(read, written, min(token_count(told("cached_tokens")) or 0, read))
    return Usage(sum(estimate_tokens(m.content) for m in request.messages), estimate_tokens(text), estimated=True)


def described(exc: BaseException) -> str:
    """An exception for the operator, redacted, with the line that raised it; itself it may hold a prompt or a key."""
    trace = exc.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else ""
    said = redact(str(exc))
    return f"{type(exc).__name__}{where}{': ' if said else ''}{said}"
