"""An OpenAI-compatible server in a thread, whose latency and faults a test sets while it runs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ModelServer(ThreadingHTTPServer):
    """Answers every chat with one sentence after `latency` seconds.

    status: another answer to every chat; broken: chats whose prompt holds this text come back without choices.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Chat)
        self.latency = 0.0
        self.status = 200
        self.broken: str | None = None
        self.calls = 0
        self.count = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def wait_for_calls(self, number: int, seconds: float = 30.0) -> None:
        """Wait until that many chats have arrived."""
        until = time.monotonic() + seconds
        while self.calls < number:
            assert time.monotonic() < until, f"{self.calls} of {number} calls came"
            time.sleep(0.01)


class _Chat(BaseHTTPRequestHandler):
    server: ModelServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200, {"data": [{"id": "test-model"}]})

    def do_POST(self) -> None:
        prompt = self.rfile.read(int(self.headers["content-length"])).decode()
        with self.server.count:
            self.server.calls += 1
        time.sleep(self.server.latency)
        if self.server.status != 200:
            self._answer(self.server.status, {"error": {"message": "no"}})
            return
        broken = self.server.broken is not None and self.server.broken in prompt
        choice = {"message": {"role": "assistant", "content": "People liked it [1]."}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        self._answer(200, {"model": "test-model", "choices": [] if broken else [choice], "usage": usage})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def serving() -> Iterator[ModelServer]:
    """A running server; callers that went away are not its problem."""
    server = ModelServer()
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
