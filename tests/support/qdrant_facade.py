"""A Qdrant server for tests: the REST calls the product makes, over qdrant-client's local mode.

In a test: `with serving() as facade: ... facade.url`. For another process: `python -m tests.support.qdrant_facade
[--port N]` prints its URL and serves until it is killed.
"""

from __future__ import annotations

import argparse
import socket
import threading
import time
import warnings
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from qdrant_client import QdrantClient, models
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

Endpoint = Callable[[Request], Awaitable[Any]]


class Facade:
    """The app and what happened to it: `requests` are (method, path); `failures` are statuses to answer next."""

    def __init__(self, api_key: str | None = None) -> None:
        self.local = QdrantClient(":memory:")
        self.api_key = api_key
        self.requests: list[tuple[str, str]] = []
        self.failures: deque[int] = deque()
        self.url = ""
        self.app = Starlette(routes=[self._route(*row) for row in self._routes()])

    def _routes(self) -> list[tuple[str, str, Endpoint]]:
        one = "/collections/{name}"
        return [
            ("GET", one, self._describe),
            ("GET", f"{one}/exists", self._exists),
            ("PUT", one, self._create),
            ("PUT", f"{one}/index", self._index),
            ("PUT", f"{one}/points", self._upsert),
            ("POST", f"{one}/points/delete", self._delete),
            ("POST", f"{one}/points/count", self._count),
            ("POST", f"{one}/points/query/batch", self._query),
        ]

    def _route(self, method: str, path: str, endpoint: Endpoint) -> Route:
        async def answered(request: Request) -> JSONResponse:
            self.requests.append((method, request.url.path))
            if self.api_key and request.headers.get("api-key") != self.api_key:
                return JSONResponse({"status": {"error": "forbidden"}}, 403)
            if self.failures:
                return JSONResponse({"status": {"error": "injected"}}, self.failures.popleft())
            try:
                return JSONResponse({"result": await endpoint(request), "status": "ok", "time": 0.001})
            except ValueError as exc:
                status = 404 if "not found" in str(exc) and "ollection" in str(exc) else 400
                return JSONResponse({"status": {"error": str(exc)}}, status)

        return Route(path, answered, methods=[method])

    async def _describe(self, request: Request) -> Any:
        return self.local.get_collection(request.path_params["name"]).model_dump(mode="json")

    async def _exists(self, request: Request) -> Any:
        return {"exists": self.local.collection_exists(request.path_params["name"])}

    async def _create(self, request: Request) -> Any:
        wanted = models.CreateCollection.model_validate(await request.json())
        return self.local.create_collection(
            request.path_params["name"],
            vectors_config=wanted.vectors,
            sparse_vectors_config=wanted.sparse_vectors,
            metadata=wanted.metadata,
        )

    async def _index(self, request: Request) -> Any:
        return {"operation_id": 1, "status": "completed"}

    async def _upsert(self, request: Request) -> Any:
        points = models.PointsList.model_validate(await request.json()).points
        return self.local.upsert(request.path_params["name"], points).model_dump(mode="json")

    async def _delete(self, request: Request) -> Any:
        chosen = models.FilterSelector.model_validate(await request.json())
        return self.local.delete(request.path_params["name"], chosen).model_dump(mode="json")

    async def _count(self, request: Request) -> Any:
        asked = models.CountRequest.model_validate(await request.json())
        return self.local.count(request.path_params["name"], asked.filter).model_dump(mode="json")

    async def _query(self, request: Request) -> Any:
        asked = models.QueryRequestBatch.model_validate(await request.json())
        replies = self.local.query_batch_points(request.path_params["name"], asked.searches)
        return [reply.model_dump(mode="json") for reply in replies]


@contextmanager
def serving(*, api_key: str | None = None, port: int = 0) -> Iterator[Facade]:
    """A facade that answers real HTTP on 127.0.0.1 from a thread."""
    warnings.filterwarnings("ignore", message="Payload indexes have no effect")
    facade = Facade(api_key)
    listener = socket.create_server(("127.0.0.1", port))
    facade.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(facade.app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield facade
    finally:
        server.should_exit = True
        thread.join(5)
        listener.close()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    with serving(port=parser.parse_args().port) as facade:
        print(facade.url, flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
