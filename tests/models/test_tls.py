"""TLS that cannot be verified pauses the run and names the host; nothing is sent."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from core.base.errors import ModelError, RejectedError
from core.models import HttpTransport, OpenAIModel
from tests.models.asking import PLAIN
from tests.support.fault_server import FaultServer


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's context with a certificate that nobody trusts."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    home: Path = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(home / "key.pem"), "-out", str(home / "cert.pem")]
    subprocess.run(["openssl", *words.split(), *names, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "cert.pem", home / "key.pem")
    return context


def test_an_untrusted_certificate_pauses_and_names_the_host(tls: ssl.SSLContext) -> None:
    """A self-signed certificate is a rejection, sent nothing, and the message says which host and what to check."""

    async def main() -> tuple[ModelError, int]:
        async with FaultServer(tls=tls) as server:
            transport = HttpTransport()
            with pytest.raises(ModelError) as caught:
                await OpenAIModel(server.url, transport=transport).complete(PLAIN)
            await transport.aclose()
            return caught.value, len(server.requests)

    error, requests = asyncio.run(main())
    assert isinstance(error, RejectedError)
    assert not error.sent
    assert "127.0.0.1" in str(error)
    assert "certificate" in str(error)
    assert requests == 0


def test_a_server_without_tls_is_told_apart() -> None:
    """https to a plain HTTP server is a wrong url, which waiting does not cure."""

    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async def main() -> ModelError:
        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
            transport = HttpTransport()
            model = OpenAIModel(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", transport=transport)
            with pytest.raises(ModelError) as caught:
                await model.complete(PLAIN)
            await transport.aclose()
            return caught.value

    error = asyncio.run(main())
    assert isinstance(error, RejectedError)
    assert "TLS" in str(error)
