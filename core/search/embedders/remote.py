"""Embeddings from any server with `/v1/embeddings`: vLLM, TEI, Ollama, OpenAI."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import numpy as np

from core.base.errors import IndexMismatchError, SearchError, SearchUnavailableError
from core.search.embedders.protocol import Vectors, unit_rows

BATCH = 64
TIMEOUT_S = 60.0


class RemoteEmbedder:
    """POSTs batches of at most 64 texts; the key comes from OPENAI_API_KEY, the dimension from a first request."""

    def __init__(self, address: str, env: Mapping[str, str] = os.environ) -> None:
        self._url, _, self._model = address.partition("#")
        key = env.get("OPENAI_API_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(headers=headers, timeout=TIMEOUT_S, follow_redirects=False)
        weakref.finalize(self, self._http.close)
        self._model = self._model or self._first_model()
        self.name = f"openai:{self._url}#{self._model}"
        self.dimension = 0
        self.dimension = self._embedded(["dimension"]).shape[1]

    def documents(self, texts: Sequence[str]) -> Vectors:
        """One row per text."""
        batches = [self._embedded(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
        return np.concatenate(batches) if batches else np.empty((0, self.dimension), dtype=np.float32)

    queries = documents

    def _first_model(self) -> str:
        listed = self._sent("GET", "/models").get("data")
        if not listed:
            msg = f"{self._url}/models lists no model. Name one: openai:{self._url}#MODEL."
            raise SearchError(msg)
        return str(listed[0]["id"])

    def _embedded(self, texts: Sequence[str]) -> Vectors:
        body = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        rows = self._sent("POST", "/embeddings", body).get("data", [])
        vectors = unit_rows([row["embedding"] for row in sorted(rows, key=lambda row: row["index"])])
        expected = (len(texts), self.dimension or vectors.shape[-1])
        if vectors.shape != expected or not vectors.size or not np.isfinite(vectors).all():
            msg = f"{self._url}/embeddings gave vectors of shape {vectors.shape}, not {expected}. Check the model."
            raise IndexMismatchError(msg)
        return vectors

    def _sent(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            reply = self._http.request(method, self._url.rstrip("/") + path, json=body)
        except httpx.HTTPError as exc:
            msg = f"The embedding server {self._url} does not answer ({type(exc).__name__}). Is it running?"
            raise SearchUnavailableError(msg) from exc
        if reply.status_code == 429 or reply.status_code >= 500:
            msg = f"The embedding server {self._url} answered {reply.status_code} to {path}. Try again later."
            raise SearchUnavailableError(msg)
        if reply.status_code != 200:
            what = f"The embedding server {self._url} answered {reply.status_code} to {path}."
            msg = f"{what} Check the URL, the model and OPENAI_API_KEY."
            raise SearchError(msg)
        answer: dict[str, Any] = reply.json()
        return answer
