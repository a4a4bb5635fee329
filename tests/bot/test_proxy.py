"""A company's proxy and its certificates, on the way to Slack, to endpoints and to sources."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from retrieval.models.client import Client
from retrieval.models.endpoint import Endpoint
from retrieval.sources.client import HttpClient
from tests.bot.conftest import House, settled
from tests.endpoint_server import EndpointServer
from tests.fakes import SentenceAnswerer
from tests.slack_server import direct_message, event, slash

AWAY = "away.invalid"
"""A host whose address nobody but the proxy knows; it is this machine."""


class Proxy:
    """Carries connections to wherever they want, and notes where that was."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> str:
        self.server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self.server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(w.wait_closed() for w in self._writers), return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b" ", 2)
        place = target.decode() if method == b"CONNECT" else urlsplit(target.decode()).netloc
        self.asked.append(place)
        host, _, port = place.partition(":")
        theirs = await asyncio.open_connection(host.replace(AWAY, "127.0.0.1"), int(port))
        self._writers += [writer, theirs[1]]
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            theirs[1].write(head)
        await asyncio.gather(_copy(reader, theirs[1]), _copy(theirs[0], writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    """The proxy that the environment names."""
    proxy = Proxy()
    address = await proxy.start()
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, address)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield proxy
    await proxy.stop()


def away(url: str) -> str:
    return url.replace("127.0.0.1", AWAY)


async def test_whatever_is_said_to_slack_goes_through_the_proxy(house: House, proxy: Proxy) -> None:
    slack, answerer = house.slack, SentenceAnswerer()
    slack.files["letter.txt"] = b"My leave is 30 days."
    file = {
        "id": "F1",
        "name": "letter.txt",
        "size": 9,
        "url_private": slack.file_url("letter.txt"),
    }
    file["url_private"] = away(str(file["url_private"]))
    bot = await house.start(answerer, settings=house.settings(api_url=away(slack.api_url)))
    said = direct_message("Is this right?", ts="1.0", subtype="file_share", files=[file])
    await slack.deliver(event(said, "Ev1"))
    await settled(bot)
    url = away(slack.response_url("asked"))
    await slack.deliver(slash("/ask", "How many days?", trigger_id="1", url=url))
    await settled(bot, done=2)
    assert answerer.asked[0].history != ()
    assert slack.responses["asked"]
    assert {place.partition(":")[0] for place in proxy.asked} == {AWAY, "127.0.0.1"}


async def test_endpoints_and_sources_are_asked_through_the_proxy(proxy: Proxy) -> None:
    with EndpointServer() as server:
        url = away(f"{server.url}/v1")
        models = await asyncio.to_thread(Client(Endpoint(url)).get, f"{url}/models")
        assert models["data"][0]["id"] == "tiny"
        source = HttpClient(url)
        try:
            assert (await asyncio.to_thread(source.get, "/v1/models")).status == 200
        finally:
            source.close()
    assert {place.partition(":")[0] for place in proxy.asked} == {AWAY}


ASK = """
import sys
from slack_sdk.errors import SlackApiError
from retrieval.errors import RetrievalError
from retrieval.models.client import Client
from retrieval.models.endpoint import Endpoint
from retrieval.sources.client import HttpClient
url = sys.argv[1]
for ask in (Client(Endpoint(url)).get, HttpClient(url, sleep=lambda _: None).get):
    try:
        ask(f"{url}/v1/models")
        print("answered")
    except RetrievalError as error:
        print("refused" if "certificate" in str(error).lower() else error)
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that only its own file vouches for, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), "whimbrel.invalid"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, *form)
    )
    return file


@pytest.fixture
def sealed(authority: Path) -> Iterator[str]:
    """The address of a server with that certificate."""
    with EndpointServer() as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority)
        server._http.socket = context.wrap_socket(server._http.socket, server_side=True)
        yield server.url.replace("http:", "https:")


@pytest.mark.slow
def test_a_certificate_of_the_company_is_believed_where_it_is_named(
    sealed: str, authority: Path
) -> None:
    def said(**environment: str) -> list[str]:
        command = [sys.executable, "-c", ASK, sealed]
        inherited = {n: v for n, v in os.environ.items() if not n.startswith("SSL_CERT")}
        return subprocess.run(  # noqa: S603 - ours
            command, env=inherited | environment, capture_output=True, text=True, check=True
        ).stdout.splitlines()

    assert said() == ["refused", "refused"]
    assert said(SSL_CERT_FILE=str(authority)) == ["answered", "answered"]
