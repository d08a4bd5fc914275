"""TLS that cannot be verified pauses the run and names the host; nothing is sent."""

from __future__ import annotations

import asyncio
import contextlib
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
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost and 127.0.0.1 that nobody trusts; its key lies beside it."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    home: Path = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(home / "key.pem"), "-out", str(home / "cert.pem")]
    subprocess.run(["openssl", *words.split(), *names, *files], check=True, capture_output=True)
    return home / "cert.pem"


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """A server's context with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


async def complete(url: str) -> str:
    """One call, on a transport of its own."""
    transport = HttpTransport()
    try:
        return (await OpenAIModel(url, transport=transport, api_key="sk-canary").complete(PLAIN)).text
    finally:
        await transport.aclose()


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


def test_a_trusted_certificate_is_spoken_to(
    tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SSL_CERT_FILE naming the authority the call goes through, to the name and to the number."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def main() -> set[str]:
        async with FaultServer(tls=tls) as server:
            return {await complete(server.url), await complete(server.url.replace("127.0.0.1", "localhost"))}

    assert asyncio.run(main()) == {"All good. [1]"}


class TunnelProxy:
    """A proxy that opens tunnels for CONNECT, to one port of this machine whatever the name; or refuses."""

    def __init__(self, port: int, status: int = 200) -> None:
        self._port = port
        self._status = status
        self.heads: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(f"HTTP/1.1 {self._status} Told\r\n\r\n".encode())
        if self._status == 200:
            far, near = await asyncio.open_connection("127.0.0.1", self._port)
            await asyncio.gather(_pipe(reader, near), _pipe(far, writer))
        writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


@pytest.mark.parametrize("status", [200, 407])
def test_https_goes_through_a_proxys_tunnel(
    status: int, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy gets CONNECT with its own password and never the key; TLS is verified with the server behind it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def main() -> tuple[str, list[str]]:
        async with FaultServer(tls=tls) as server:
            proxy = TunnelProxy(server.port, status)
            async with await asyncio.start_server(proxy, "127.0.0.1", 0) as listening:
                port = listening.sockets[0].getsockname()[1]
                monkeypatch.setenv("HTTPS_PROXY", f"http://cook:word@127.0.0.1:{port}")
                monkeypatch.setattr("core.models.addresses.Origin.loopback", False)
                try:
                    text = await complete(f"https://localhost:{server.port}/v1")
                except RejectedError as error:
                    text = str(error)
                return text, proxy.heads

    text, (head,) = asyncio.run(main())
    assert head.startswith("CONNECT localhost:")
    assert "proxy-authorization: Basic Y29vazp3b3Jk" in head
    assert "sk-canary" not in head
    assert text == "All good. [1]" if status == 200 else "407" in text
    assert "word" not in text
