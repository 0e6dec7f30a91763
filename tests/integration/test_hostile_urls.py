# ruff: noqa: RUF001 - characters that look like others are the point
"""URLs that want more than they may: refused, with no connection to a forbidden address.

``CANARY`` is a port of this machine that nobody may connect to, ``PUBLIC`` one that stands for the
internet: the only address that the tests allow.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from attrs import define, evolve, field

from boards.engine.addresses import AddressPolicy
from boards.engine.download import Downloader
from boards.engine.files import read_file
from boards.engine.rest import ProviderClient
from boards.engine.transport import AiohttpTransport, Request, Transport, UnsentError
from boards.errors import ProviderError
from boards.settings import load
from boards.spec.model import Auth, ProviderSpec
from boards.spec.paths import ABSENT
from boards.spec.requests import Rendered
from boards.storage.local import LocalStorage
from tests.integration.acme import PNG, Acme
from tests.integration.conftest import Open

SECRET = "acme-secret-key"

NAMES = {
    "cdn.example.com": ["127.0.0.1"],
    "other.example.com": ["127.0.0.1"],
    "inside.example.com": ["127.0.0.2"],
    "six.example.com": ["::1"],
    "mapped.example.com": ["::ffff:127.0.0.2"],
    "compatible.example.com": ["::127.0.0.2"],
    "nat64.example.com": ["64:ff9b::7f00:2"],
    "local-nat64.example.com": ["64:ff9b:1::7f00:2"],
    "sixtofour.example.com": ["2002:7f00:2::1"],
    "teredo.example.com": ["2001:0:4136:e378:8000:63bf:80ff:fffd"],
    "private.example.com": ["10.0.0.1", "192.168.0.1", "172.16.0.1"],
    "unique-local.example.com": ["fd00:ec2::254"],
    "link-local.example.com": ["fe80::1%1"],
    "zero.example.com": ["0.0.0.0"],
    "wildcard.example.com": ["::"],
    "broadcast.example.com": ["255.255.255.255"],
    "multicast.example.com": ["224.0.0.1"],
    "carrier.example.com": ["100.100.100.200"],
    "metadata.google.internal": ["169.254.169.254"],
    "metadata.azure.example": ["168.63.129.16"],
    "metadata.oracle.example": ["192.0.0.192"],
    "localhost": ["127.0.0.2"],
    "cdn.localhost": ["127.0.0.2"],
    "localhost.localdomain": ["127.0.0.2", "::1"],
    "mixed.example.com": ["127.0.0.2", "::1", "127.0.0.1", "10.0.0.1"],
}
"""What the tests' own resolver answers."""

HOSTILE = [
    # Schemes
    "file:///etc/passwd",
    "gopher://127.0.0.2:CANARY/_GET",
    "ftp://127.0.0.2:CANARY/a.png",
    "dict://127.0.0.2:CANARY/info",
    "unix:///var/run/docker.sock",
    "tcp://127.0.0.2:CANARY/",
    "javascript:alert(1)",
    "blob:http://127.0.0.2:CANARY/a",
    "//127.0.0.2:CANARY/a.png",
    "/a.png",
    "a.png",
    "",
    "http:127.0.0.2:CANARY/a.png",
    "http:/127.0.0.2:CANARY/a.png",
    "http:///127.0.0.2:CANARY/a.png",
    "http:\\\\127.0.0.2:CANARY\\a.png",
    # Loopback, and all that it is also called
    "http://127.0.0.2:CANARY/a.png",
    "http://127.255.255.254:CANARY/a.png",
    "http://localhost:CANARY/a.png",
    "http://LOCALHOST:CANARY/a.png",
    "http://localhost.:CANARY/a.png",
    "http://cdn.localhost:CANARY/a.png",
    "http://localhost.localdomain:CANARY/a.png",
    "http://[::1]:CANARY/a.png",
    "http://[0:0:0:0:0:0:0:1]:CANARY/a.png",
    "http://[0000::0001]:CANARY/a.png",
    "http://0.0.0.0:CANARY/a.png",
    "http://0:CANARY/a.png",
    "http://[::]:CANARY/a.png",
    # Other ways to write an IPv4 address
    "http://2130706434:CANARY/a.png",
    "http://0x7f000002:CANARY/a.png",
    "http://0x7f.0.0.2:CANARY/a.png",
    "http://017700000002:CANARY/a.png",
    "http://0177.0.0.2:CANARY/a.png",
    "http://127.000.000.002:CANARY/a.png",
    "http://127.2:CANARY/a.png",
    "http://127.0.2:CANARY/a.png",
    "http://127.0.0.2.:CANARY/a.png",
    "http://127.0.0.0x2:CANARY/a.png",
    "http://127。0。0。2:CANARY/a.png",
    "http://①②⑦.⓪.⓪.②:CANARY/a.png",
    "http://１２７.０.０.２:CANARY/a.png",
    "http://%31%32%37.0.0.2:CANARY/a.png",
    "http://127.0.0.2%00.example.com:CANARY/a.png",
    # IPv4 inside IPv6
    "http://[::ffff:127.0.0.2]:CANARY/a.png",
    "http://[::ffff:7f00:2]:CANARY/a.png",
    "http://[::127.0.0.2]:CANARY/a.png",
    "http://[::ffff:0:127.0.0.2]:CANARY/a.png",
    "http://[64:ff9b::127.0.0.2]:CANARY/a.png",
    "http://[64:ff9b:1::127.0.0.2]:CANARY/a.png",
    "http://[2002:7f00:2::1]:CANARY/a.png",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffd]:CANARY/a.png",
    # Private, link-local, reserved
    "http://10.0.0.1/a.png",
    "http://172.16.0.1/a.png",
    "http://192.168.0.1/a.png",
    "http://100.64.0.1/a.png",
    "http://198.18.0.1/a.png",
    "http://224.0.0.1/a.png",
    "http://255.255.255.255/a.png",
    "http://[fc00::1]/a.png",
    "http://[fec0::1]/a.png",
    "http://[fe80::1]/a.png",
    "http://[fe80::1%25lo]:CANARY/a.png",
    "http://[fe80::1%lo]:CANARY/a.png",
    "http://[ff02::1]/a.png",
    "http://[v1.127]:CANARY/a.png",
    # Metadata of clouds
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/latest/meta-data/",
    "http://0251.0376.0251.0376/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/machine?comp=goalstate",
    "http://192.0.0.192/latest/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://metadata.google.internal./computeMetadata/v1/",
    "http://metadata.azure.example/",
    "http://metadata.oracle.example/",
    # Names that lead inside
    "http://inside.example.com:CANARY/a.png",
    "http://six.example.com:CANARY/a.png",
    "http://mapped.example.com:CANARY/a.png",
    "http://compatible.example.com:CANARY/a.png",
    "http://nat64.example.com:CANARY/a.png",
    "http://local-nat64.example.com:CANARY/a.png",
    "http://sixtofour.example.com:CANARY/a.png",
    "http://teredo.example.com:CANARY/a.png",
    "http://private.example.com/a.png",
    "http://unique-local.example.com/a.png",
    "http://link-local.example.com/a.png",
    "http://zero.example.com:CANARY/a.png",
    "http://wildcard.example.com:CANARY/a.png",
    "http://broadcast.example.com/a.png",
    "http://multicast.example.com/a.png",
    "http://carrier.example.com/a.png",
    # Users, and who is the host
    "http://user:password@cdn.example.com:PUBLIC/a.png",
    "http://cdn.example.com@127.0.0.2:CANARY/a.png",
    "http://cdn.example.com:PUBLIC@127.0.0.2:CANARY/a.png",
    "http://cdn.example.com%40127.0.0.2:CANARY/a.png",
    "http://a@b@127.0.0.2:CANARY/a.png",
    "http://@127.0.0.2:CANARY/a.png",
    "http://:@127.0.0.2:CANARY/a.png",
    "http://cdn.example.com:PUBLIC\\@127.0.0.2:CANARY/a.png",
    "http://127.0.0.2:CANARY\\@cdn.example.com:PUBLIC/a.png",
    "http://127.0.0.2:CANARY\\.cdn.example.com/a.png",
    "http://127.0.0.2%23.cdn.example.com:CANARY/a.png",
    "http://127.0.0.2%2f.cdn.example.com:CANARY/a.png",
    "http://127.0.0.2;.cdn.example.com:CANARY/a.png",
    "http://cdn.example.com,127.0.0.2:CANARY/a.png",
    # Blanks and controls
    " http://127.0.0.2:CANARY/a.png",
    "http:// 127.0.0.2:CANARY/a.png",
    "http://127.0.0.2 :CANARY/a.png",
    "ht\ttp://127.0.0.2:CANARY/a.png",
    "http://127.0.\n0.2:CANARY/a.png",
    "http://cdn.exam\tple.com:PUBLIC/a.png",
    "http://cdn.example.com:PUBLIC/a.png\r\nAuthorization: Bearer x",
    "http://cdn.example.com:PUBLIC/a.png HTTP/1.1\r\nHost: inside\r\n\r\n",
    "\x00http://127.0.0.2:CANARY/a.png",
    "http://127.0.0.2\x00.example.com:CANARY/a.png",
    # Names that are none
    "http://cdn.ex\u00adample.com:PUBLIC/a.png",
    "http://ⓒdn.example.com:PUBLIC/a.png",
    "http://cdn..example.com:PUBLIC/a.png",
    "http://.example.com:PUBLIC/a.png",
    "http://./a.png",
    "http://[::1/a.png",
    "http://[::1]evil:CANARY/a.png",
    # Ports
    "http://127.0.0.2:0/a.png",
    "http://cdn.example.com:65536/a.png",
    "http://cdn.example.com:-1/a.png",
    "http://cdn.example.com:+PUBLIC/a.png",
    "http://cdn.example.com: PUBLIC/a.png",
    "http://cdn.example.com:PUBLIC:CANARY/a.png",
    "http://cdn.example.com:８０/a.png",
]

FRIENDLY = [
    "http://cdn.example.com:PUBLIC/a.png",
    "HTTP://CDN.Example.Com:PUBLIC/a.png",
    "http://cdn.example.com.:PUBLIC/a.png",
    "http://127.0.0.1:PUBLIC/a.png",
    "http://[::ffff:127.0.0.1]:PUBLIC/a.png",
    "http://cdn.example.com:PUBLIC/a.png?sign=%2F%2E%2E&x=a@b#@127.0.0.2",
    "http://cdn.example.com:PUBLIC/a/../%2e%2e/@127.0.0.2:CANARY/a.png",
    "http://cdn.example.com:PUBLIC?@127.0.0.2:CANARY/",
    "http://cdn.example.com:PUBLIC/a b/ü.png",
    "http://mixed.example.com:PUBLIC/a.png",
]

HOSTILE_CHAINS = [
    ["http://127.0.0.2:CANARY/a.png"],
    ["http://[::1]:CANARY/a.png"],
    ["http://169.254.169.254/latest/meta-data/"],
    ["http://inside.example.com:CANARY/a.png"],
    ["http://2130706434:CANARY/a.png"],
    ["//127.0.0.2:CANARY/a.png"],
    ["//inside.example.com:CANARY/a.png"],
    ["/next", "http://other.example.com:PUBLIC/third", "//localhost:CANARY/a.png"],
    ["http://user:password@cdn.example.com:PUBLIC/a.png"],
    ["//cdn.example.com:PUBLIC@127.0.0.2:CANARY/a.png"],
    ["http://cdn.example.com:PUBLIC\\@127.0.0.2:CANARY/a.png"],
    ["file:///etc/passwd"],
    ["ftp://127.0.0.2:CANARY/a.png"],
    ["data:image/png;base64,AAAA"],
    ["javascript:alert(1)"],
    ["http://[::1/a.png"],
    ["http://[fe80::1%25lo]:CANARY/"],
    ["http://127.0.0.2:CANARY\t/a.png"],
    ["/go"],
    ["/1", "/2", "/3", "/4", "/5", "/6"],
    ["http://other.example.com:PUBLIC/go"],
]
"""Each: where ``/go`` redirects to, and where that does."""


@define
class Internet:
    """Two ports of this machine: what may be reached, and what must not be."""

    public: int = 0
    canary: int = 0
    touched: list[Any] = field(factory=list)
    requests: list[tuple[str, Mapping[str, str]]] = field(factory=list)
    redirects: dict[str, str] = field(factory=dict)
    lookups: list[str] = field(factory=list)

    def url(self, template: str) -> str:
        return template.replace("PUBLIC", str(self.public)).replace("CANARY", str(self.canary))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((str(request.rel_url), dict(request.headers)))
        location = self.redirects.get(request.path)
        if location is not None:
            return web.Response(status=302, headers={"Location": location})
        return web.Response(body=PNG, content_type="image/png")

    async def touch(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.touched.append(writer.get_extra_info("sockname"))
        writer.close()

    def resolve(self, host: Any, port: Any, *args: Any, **_: Any) -> list[Any]:
        self.lookups.append(host)
        addresses = NAMES.get(host.rstrip(".").lower())
        if addresses is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [
            (family, socket.SOCK_STREAM, 6, "", (address, port, *rest))
            for address in addresses
            for family, rest in (
                [(socket.AF_INET6, (0, 0))] if ":" in address else [(socket.AF_INET, ())]
            )
        ]


@pytest.fixture
async def internet(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Internet]:
    """Servers, and a resolver that knows the tests' own names."""
    net = Internet()
    app = web.Application()
    app.router.add_get("/{path:.*}", net.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        # The canary also listens beside the public port, on the address that is not allowed.
        listening = await asyncio.start_server(net.touch, "127.0.0.2", 0)
        net.canary = listening.sockets[0].getsockname()[1]
        await stack.enter_async_context(listening)
        for host in ("127.0.0.1", "::1"):
            with contextlib.suppress(OSError):
                server = await asyncio.start_server(net.touch, host, net.canary)
                await stack.enter_async_context(server)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        net.public = runner.addresses[0][1]
        await stack.enter_async_context(
            await asyncio.start_server(net.touch, "127.0.0.2", net.public)
        )
        monkeypatch.setattr(socket, "getaddrinfo", net.resolve)
        yield net
        await asyncio.sleep(0)
        assert net.touched == []


@pytest.fixture
async def transport(internet: Internet) -> AsyncIterator[AiohttpTransport]:
    """Allows the public port alone."""
    opened = AiohttpTransport(AddressPolicy((f"127.0.0.1:{internet.public}",)))
    yield opened
    await opened.close()


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[LocalStorage]:
    opened = LocalStorage(tmp_path / "artifacts")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def downloader(transport: AiohttpTransport, storage: LocalStorage) -> Downloader:
    return Downloader(transport, storage, limit=1_000_000)


@pytest.fixture
def client(transport: AiohttpTransport) -> ProviderClient:
    """A provider's client with a key."""
    spec = ProviderSpec(
        config={"base_url": "https://api.acme.example/v1", "api_key_env": "ACME_KEY"},
        auth=Auth(kind="bearer"),
        hosts=("*.acme.example",),
    )
    settings = load(home="/nowhere", environment={"ACME_KEY": SECRET})
    return ProviderClient("acme", spec, settings, transport)


def rendered(url: str, *, authenticated: bool, method: str = "GET") -> Rendered:
    """A request to an address that a reply named."""
    return Rendered(
        method, url, None, (), {}, ABSENT, None, None, None, "binary", 5.0, authenticated
    )


@define
class Scripted:
    """A reply without a connection."""

    status: int
    headers: Mapping[str, str]

    async def chunks(self) -> AsyncIterator[bytes]:
        yield PNG[:50]

    async def close(self) -> None:
        """Nothing to release."""


async def fetch(downloader: Downloader, url: str) -> bytes:
    """What an output's URL brings."""
    downloaded = await downloader.fetch(url, {"Authorization": f"Bearer {SECRET}"})
    content = downloaded.writer.head
    await downloaded.writer.abort()
    return content


@pytest.mark.parametrize("template", HOSTILE)
async def test_a_hostile_url_is_refused_wherever_it_comes_from(
    internet: Internet,
    downloader: Downloader,
    storage: LocalStorage,
    client: ProviderClient,
    template: str,
) -> None:
    """As output, as input, as address of a status, an upload or a websocket."""
    url = internet.url(template)
    for refused in (
        fetch(downloader, url),
        read_file(storage, url, downloader),
        client.exchange(rendered(url, authenticated=True)),
        client.repeat(rendered(url, authenticated=False, method="PUT")),
        client.connect(rendered(url.replace("http", "ws", 1), authenticated=True)),
    ):
        with pytest.raises(ProviderError) as caught:
            await refused
        assert caught.value.kind == "untrusted_url"
        assert SECRET not in caught.value.message
    assert internet.requests == []


@pytest.mark.parametrize("template", FRIENDLY)
async def test_a_public_url_is_fetched_however_odd_it_looks(
    internet: Internet, downloader: Downloader, template: str
) -> None:
    """What stands behind the host is the host's own affair; a name needs one public address."""
    assert await fetch(downloader, internet.url(template)) == PNG
    assert len(internet.requests) == 1


@pytest.mark.parametrize("chain", HOSTILE_CHAINS, ids=lambda chain: chain[-1])
async def test_a_hostile_redirect_is_refused(
    internet: Internet, downloader: Downloader, storage: LocalStorage, chain: list[str]
) -> None:
    """Each hop is checked like the first."""
    here = "/go"
    for location in map(internet.url, chain):
        internet.redirects[here] = location
        here = location.partition(f":{internet.public}")[2] or location
    start = internet.url("http://cdn.example.com:PUBLIC/go")
    for refused in (fetch(downloader, start), read_file(storage, start, downloader)):
        with pytest.raises(ProviderError) as caught:
            await refused
        assert caught.value.kind == "untrusted_url"


@pytest.mark.parametrize(
    ("location", "arrives", "keeps"),
    [
        ("/b.png", "/b.png", True),
        ("b.png?x=%2F", "/b.png?x=%2F", True),
        ("//cdn.example.com:PUBLIC/b.png#part", "/b.png", True),
        ("HTTP://CDN.example.com:PUBLIC/b.png", "/b.png", True),
        ("/\\127.0.0.2:CANARY/b.png", "/\\127.0.0.2:CANARY/b.png", True),
        ("/ü b.png", "/%C3%BC%20b.png", True),
        ("http://other.example.com:PUBLIC/b.png", "/b.png", False),
        ("http://127.0.0.1:PUBLIC/b.png", "/b.png", False),
    ],
)
async def test_a_redirect_keeps_credentials_within_its_origin_alone(
    internet: Internet, downloader: Downloader, location: str, arrives: str, keeps: bool
) -> None:
    """Scheme, host and port: all of them, or nothing goes along."""
    internet.redirects["/go"] = internet.url(location)
    assert await fetch(downloader, internet.url("http://cdn.example.com:PUBLIC/go")) == PNG
    (_, first), (path, second) = internet.requests
    assert first["Authorization"] == f"Bearer {SECRET}"
    assert path == internet.url(arrives)
    assert ("Authorization" in second) is keeps


async def test_credentials_do_not_go_from_https_to_http(storage: LocalStorage) -> None:
    """The same name without encryption is another origin."""
    seen: list[Request] = []

    class Downgrading:
        async def send(self, request: Request) -> Any:
            seen.append(request)
            moved = {"location": "http://cdn.example.com/a.png"}
            return Scripted(302, moved) if len(seen) == 1 else Scripted(200, {})

    downloader = Downloader(cast("Transport", Downgrading()), storage, limit=100)
    await fetch(downloader, "https://cdn.example.com/a.png")
    assert [one.url for one in seen] == [
        "https://cdn.example.com/a.png",
        "http://cdn.example.com/a.png",
    ]
    assert ["Authorization" in one.headers for one in seen] == [True, False]


async def test_credentials_do_not_come_back_with_a_redirect(
    internet: Internet, downloader: Downloader
) -> None:
    """Whoever was redirected to must not choose what they are used for."""
    internet.redirects["/go"] = internet.url("http://other.example.com:PUBLIC/away")
    internet.redirects["/away"] = internet.url("http://cdn.example.com:PUBLIC/delete-everything")
    await fetch(downloader, internet.url("http://cdn.example.com:PUBLIC/go"))
    assert [path for path, headers in internet.requests if "Authorization" in headers] == ["/go"]


async def test_a_name_that_changes_between_check_and_connection_gains_nothing(
    internet: Internet, downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that was checked is the one that is connected to."""
    answers = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2"]])

    def rebinding(host: str, port: int, *args: Any, **more: Any) -> list[Any]:
        monkeypatch.setitem(NAMES, host, next(answers))
        return internet.resolve(host, port)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert await fetch(downloader, internet.url("http://fast.example.com:PUBLIC/a.png")) == PNG
    assert internet.lookups == ["fast.example.com"]
    with pytest.raises(ProviderError) as caught:
        await fetch(downloader, internet.url("http://slow.example.com:PUBLIC/a.png"))
    assert caught.value.kind == "untrusted_url"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.acme.example/v1/x",
        "https://api.acme.example:8443/v1/x",
        "https://acme.example/x",
        "https://evilacme.example/x",
        "https://api.acme.example.evil.example/x",
        "https://api.acme.example@evil.example/x",
        "https://evil.example/api.acme.example",
        "https://evil.example?api.acme.example",
        "https://evil.example#api.acme.example",
        "https://evil.example\\.acme.example/x",
        "https://evil.example%2f.acme.example/x",
        "https://evil.example;.acme.example/x",
        "https://evil.example\t.acme.example/x",
        "https://evil.example\u3002acme.example/x",
        "https://api.acme.exampl\u0435/x",
        "https://.acme.example/x",
        "https://..acme.example/x",
        "https://*.acme.example/x",
        "ftp://api.acme.example/x",
    ],
)
async def test_what_resembles_a_trusted_host_gets_no_credentials(
    internet: Internet, client: ProviderClient, url: str
) -> None:
    """Not even a name is looked up."""
    with pytest.raises(ProviderError) as caught:
        await client.exchange(rendered(url, authenticated=True))
    assert caught.value.kind == "untrusted_url"
    assert internet.lookups == []


@pytest.mark.parametrize(
    "path", ["@evil.example/x", ".evil.example/x", ":8443/x", "\\@evil.example/x", ":x@evil/"]
)
async def test_a_path_cannot_become_a_host(
    internet: Internet, client: ProviderClient, path: str
) -> None:
    """Even where a base URL ends without a path."""
    client.spec = evolve(client.spec, config={**client.config, "bare": "https://api.acme.example"})
    with pytest.raises(ProviderError) as caught:
        await client.exchange(evolve(rendered(path, authenticated=True), base="bare"))
    assert caught.value.kind == "untrusted_url"
    assert internet.lookups == []


async def test_a_websocket_is_not_redirected(
    internet: Internet, client: ProviderClient, transport: AiohttpTransport
) -> None:
    """Its first frames may hold a key: they go to the address that was trusted, or nowhere."""
    internet.redirects["/socket"] = internet.url("http://other.example.com:PUBLIC/steal")
    base = internet.url("ws://cdn.example.com:PUBLIC")
    spec = evolve(client.spec, config={**client.config, "socket": base})
    trusting = ProviderClient("acme", spec, load(home="/nowhere", environment={}), transport)
    with pytest.raises(UnsentError):
        await trusting.connect(evolve(rendered("/socket", authenticated=True), base="socket"))
    assert [path for path, _ in internet.requests] == ["/socket"]


async def test_the_reason_is_told_without_secrets_of_the_url(
    internet: Internet, downloader: Downloader, client: ProviderClient
) -> None:
    """Signatures stand in queries, passwords before the host."""
    for template in (
        "http://127.0.0.2:CANARY/a.png?X-Signature=hush",
        "http://me:hush@127.0.0.2:CANARY/a.png",
        "http://127.0.0.2:CANARY/\x1b[31ma.png",
    ):
        url = internet.url(template)
        for refused in (
            fetch(downloader, url),
            client.exchange(rendered(url, authenticated=True)),
            client.repeat(rendered(url, authenticated=False, method="PUT")),
        ):
            with pytest.raises(ProviderError) as caught:
                await refused
            assert "hush" not in caught.value.message
            assert "\x1b" not in caught.value.message


async def test_an_unreachable_public_address_may_be_tried_again(
    internet: Internet, downloader: Downloader, transport: AiohttpTransport
) -> None:
    """A name that nobody knows is an outage, not an attack."""
    with pytest.raises(ProviderError) as caught:
        await fetch(downloader, "http://nowhere.example.com/a.png")
    assert (caught.value.kind, caught.value.retryable) == ("transient", True)
    with pytest.raises(UnsentError):
        await transport.connect("ws://nowhere.example.com/", 5.0)


@pytest.mark.parametrize("stage", ["poll", "result", "cancel", "upload"])
async def test_a_generation_ends_where_a_reply_leads_to_a_forbidden_address(
    acme: Acme, open_boards: Open, tmp_path: Path, stage: str
) -> None:
    """From a reply of the provider's own, with the provider's own address allowed."""
    touched = []

    async def touch(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        touched.append(1)
        writer.close()

    canary = await asyncio.start_server(touch, "127.0.0.2", 0)
    url = f"http://127.0.0.2:{canary.sockets[0].getsockname()[1]}/steal"

    async def submit(_request: web.Request) -> web.StreamResponse:
        acme.jobs["j"] = {"id": "j", "status": "queued", "polls": 0}
        return web.json_response({"id": "j", "status": "queued", "url": url})

    acme.answers["submit"] = acme.answers["list"] = submit
    execution: dict[str, Any] = {
        "submit": {
            "path": "/jobs",
            "json": {"prompt": "${input.prompt}", "image": "${input.image?|file}"},
            "capture": {"id": "body.id", "url": "body.url"},
        }
    }
    provider: dict[str, Any] = {}
    inputs: dict[str, Any] = {}
    match stage:
        case "poll":
            execution["poll"] = {"url": "${job.url}", "every": "10ms"}
        case "result":
            execution["result"] = {"url": "${job.url}"}
        case "cancel":
            provider["cancel"] = {"method": "POST", "url": "${job.url}"}
            acme.polls_needed = 1_000_000
        case _:
            inputs["image"] = b"\x89PNG\r\n\x1a\n" + bytes(100)
            provider["files"] = {
                "accept": ["upload"],
                "upload": {
                    "init": {"path": "/jobs"},
                    "capture": {"url": "body.url"},
                    "put": {"method": "PUT", "url": "${upload.url}", "body": "${file.bytes}"},
                    "result": "${upload.url}",
                },
            }
    port = acme.url.rpartition(":")[2]
    async with (
        canary,
        open_boards(
            provider=provider, execution=execution, allow_private_hosts=(f"127.0.0.1:{port}",)
        ) as boards,
    ):
        generation = await boards.submit("acme/draw", prompt="a", **inputs)
        if stage == "cancel":
            await boards.cancel(generation.id)
            await asyncio.sleep(0.3)
        else:
            ended = await boards.wait(generation.id)
            assert ended.error is not None
            assert ended.error.kind == "untrusted_url"
    assert touched == []
