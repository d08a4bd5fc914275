"""The embedded model: answers a request from the data blocks in it, without a server."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from core.base.records import ModelReply, ModelRequest, Usage
from core.models.extractive import compose
from core.models.extractive.blocks import Block, json_lines, read_blocks, without_blocks
from core.models.tokens import estimate_tokens

NAME = "extractive"


class ExtractiveModel:
    """A `Model` that picks, tidies and orders sentences of what the prompt holds; deterministic, under a millisecond."""

    def __repr__(self) -> str:
        return "<ExtractiveModel>"

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The answer to a request; `finish` is "length" only where not even a sentence fitted its max_tokens."""
        return answer(request)

    async def aclose(self) -> None:
        """Nothing is held open."""


def answer(request: ModelRequest) -> ModelReply:
    """The reply, without a loop: the practice server calls it from a handler of its own."""
    prompt = "\n".join(message.content for message in request.messages)
    blocks = read_blocks(prompt)
    text = _json(blocks, request) if request.json else _text(blocks, request)
    text, finish = _cut(text, request.max_tokens)
    usage = Usage(estimate_tokens(prompt), estimate_tokens(text), estimated=True)
    return ModelReply(text=text, usage=usage, finish=finish, model=NAME)


def _text(blocks: Sequence[Block], request: ModelRequest) -> str:
    """The answer in plain text, by the kinds of blocks at hand."""
    kinds = {block.kind for block in blocks}
    if "results" in kinds:
        return compose.summarise_results(_of(blocks, "results"), request.max_tokens)
    if "evidence" in kinds:
        share = request.max_tokens // len(_of(blocks, "evidence"))
        return " ".join(compose.summarise_evidence(block, share) for block in _of(blocks, "evidence"))
    if "parts" in kinds:
        return " ".join(part["text"] for part in compose.describe_parts(_of(blocks, "parts"), request.max_tokens))
    if "item" in kinds:
        fields = {k: v for block in _of(blocks, "item") for line in json_lines(block) for k, v in line.items()}
        return compose.describe_part(fields, request.max_tokens)
    return compose.first_sentences(without_blocks(_question(request)), request.max_tokens)


def _json(blocks: Sequence[Block], request: ModelRequest) -> str:
    """The answer as {"results": [{"id", "text"}]}: one entry per part, or per evidence block."""
    if parts := _of(blocks, "parts"):
        results = compose.describe_parts(parts, request.max_tokens)
    elif evidence := _of(blocks, "evidence"):
        share = max(request.max_tokens // len(evidence) - 12, 8)
        results = [{"id": b.part, "text": compose.summarise_evidence(b, share)} for b in evidence]
    else:
        results = [{"id": "", "text": _text(blocks, request)}]
    return orjson.dumps({"results": results}).decode()


def _of(blocks: Sequence[Block], kind: str) -> list[Block]:
    return [block for block in blocks if block.kind == kind]


def _question(request: ModelRequest) -> str:
    users = [message.content for message in request.messages if message.role == "user"]
    return users[-1] if users else "\n".join(message.content for message in request.messages)


def _cut(text: str, tokens: int) -> tuple[str, str]:
    """The text as a server would cut it at max_tokens, and why it ended."""
    if estimate_tokens(text) <= tokens:
        return text, "stop"
    while text and estimate_tokens(text) > tokens:
        text = text[: len(text) - max((estimate_tokens(text) - tokens) // 2, 1)]
    return text.rstrip(), "length"
