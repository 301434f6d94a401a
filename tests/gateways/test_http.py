import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from domain.webhooks import Answer, Failure
from gateways.http import Guard, HttpPoster, UrlTest
from tests.tls_world import certificate
from tests.webhook_receiver import DROP, HANG, receiving

LOOPBACK = ["127.0.0.0/8"]


def found(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    """A resolver that knows one answer."""

    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


async def post(poster: HttpPoster, url: str, body: bytes = b"{}") -> Answer:
    async with poster.session(url) as send:
        return await send({"webhook-id": "evt_1"}, body)


PRIVATE = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "198.18.0.1", "192.0.2.1", "192.88.99.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
    "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
async def test_addresses_that_are_not_on_the_internet_are_refused(address: str) -> None:
    assert await Guard([], found(address)).addresses("a.example", 443) is Failure.REFUSED_ADDRESS


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
async def test_public_addresses_are_called_on_web_ports_only(address: str) -> None:
    guard = Guard([], found(address))
    assert await guard.addresses("a.example", 443) == [address.removeprefix("::ffff:")]
    assert await guard.addresses("a.example", 8443) == [address.removeprefix("::ffff:")]
    assert await guard.addresses("a.example", 25) is Failure.REFUSED_PORT


async def test_one_private_address_among_many_refuses_the_name() -> None:
    assert await Guard([], found("93.184.216.34", "10.0.0.1")).addresses("a.example", 80) is Failure.REFUSED_ADDRESS


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "017700000001", "0", "127.1", "localhost", "::1",
             "::ffff:7f00:1"]
)  # fmt: skip
async def test_disguises_of_loopback_are_seen_through(host: str) -> None:
    """By the system's own resolver."""
    assert await Guard([]).addresses(host, 80) is Failure.REFUSED_ADDRESS


async def test_allowed_networks_open_their_addresses_and_every_port() -> None:
    guard = Guard(["10.1.0.0/16", "fd00::/8"], found("10.1.2.3", "fd00::1"))
    assert await guard.addresses("a.example", 9000) == ["10.1.2.3", "fd00::1"]
    assert await Guard(["10.1.0.0/16"], found("10.2.0.1")).addresses("a.example", 80) is Failure.REFUSED_ADDRESS


async def test_names_without_addresses_are_a_dns_failure() -> None:
    assert await Guard([], found()).addresses("a.example", 80) is Failure.DNS
    assert await Guard([]).addresses("nowhere.invalid", 80) is Failure.DNS
    assert await Guard([]).addresses("x" * 70 + ".example", 80) is Failure.DNS


async def test_a_private_receiver_gets_no_byte_unless_its_network_is_allowed() -> None:
    async with receiving() as receiver:
        assert await post(HttpPoster(Guard([])), receiver.url) == Answer(None, Failure.REFUSED_ADDRESS)
        assert receiver.requests == []
        answer = await post(HttpPoster(Guard(LOOPBACK)), receiver.url, b'{"a":1}')
        assert (answer.status, answer.error) == (204, None)
        assert receiver.requests[0].body == b'{"a":1}'
        assert receiver.requests[0].headers["host"] == f"127.0.0.1:{receiver.port}"


async def test_a_name_is_resolved_once_for_a_session() -> None:
    """DNS rebinding: a second answer of the resolver has no effect."""
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])

    async def resolve(host: str, port: int) -> list[str]:
        return next(answers)

    async with receiving() as receiver:
        async with HttpPoster(Guard(["127.0.0.1/32"], resolve)).session(
            f"http://a.example:{receiver.port}/hooks?x=1"
        ) as send:
            assert [(await send({}, b"{}")).status for _ in range(2)] == [204, 204]
        assert receiver.requests[0].headers["host"] == f"a.example:{receiver.port}"
        assert next(answers) == ["127.0.0.2"]


async def test_the_next_address_is_tried_when_one_takes_no_connection() -> None:
    async with receiving() as receiver:
        poster = HttpPoster(Guard(LOOPBACK, found("127.0.0.9", "127.0.0.1")))
        assert (await post(poster, f"http://a.example:{receiver.port}/")).status == 204
        poster = HttpPoster(Guard(LOOPBACK, found("127.0.0.9")))
        assert (await post(poster, f"http://a.example:{receiver.port}/")).failure is Failure.CONNECT


async def test_a_redirect_is_a_failure_and_is_not_followed() -> None:
    async with receiving() as inner:
        async with receiving(lambda n, r: 302, extra=f"Location: {inner.url}\r\n".encode()) as outer:
            assert (await post(HttpPoster(Guard(LOOPBACK)), outer.url)).error == "http_302"
        assert inner.requests == []


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert (await post(HttpPoster(Guard(LOOPBACK)), receiver.url)).status == 204
        assert (len(proxy.requests), len(receiver.requests)) == (0, 1)


async def test_a_hanging_receiver_is_a_timeout_within_the_limit() -> None:
    async with receiving(lambda n, r: HANG) as receiver:
        began = time.monotonic()
        answer = await post(HttpPoster(Guard(LOOPBACK), seconds=0.5), receiver.url)
        assert answer.failure is Failure.TIMEOUT
        assert 0.4 < time.monotonic() - began < 3
        assert 400 < answer.milliseconds < 3000


async def test_a_dropped_connection_is_broken_and_a_failing_answer_keeps_its_first_words() -> None:
    async with receiving(lambda n, r: DROP) as receiver:
        assert (await post(HttpPoster(Guard(LOOPBACK)), receiver.url)).failure is Failure.BROKEN
    async with receiving(lambda n, r: 500, body=b"no\0 db\n" + b"x" * 1000) as receiver:
        answer = await post(HttpPoster(Guard(LOOPBACK)), receiver.url)
        assert answer.error == "http_500"
        assert answer.response.startswith("no db xxx")
        assert len(answer.response) <= 300


async def test_a_flood_is_read_to_the_cap_only() -> None:
    """An answer without end is cut at 64 KB and counts by its status."""
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 50_000_000:
                writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                sent += 65536
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    assert (await post(HttpPoster(Guard(LOOPBACK)), url)).error is None
    server.close()
    assert sent < 20_000_000


async def test_tls_is_verified_for_the_name_though_the_address_is_called(tmp_path: Path) -> None:
    server, trusting = certificate(tmp_path, "hooks.example")
    async with receiving(tls=server) as receiver:
        poster = HttpPoster(Guard(LOOPBACK, found("127.0.0.1")), trusting)
        assert (await post(poster, f"https://hooks.example:{receiver.port}/")).status == 204
        assert (await post(poster, f"https://other.example:{receiver.port}/")).failure is Failure.TLS
        strict = HttpPoster(Guard(LOOPBACK, found("127.0.0.1")))
        assert (await post(strict, f"https://hooks.example:{receiver.port}/")).failure is Failure.TLS


def test_the_guard_refuses_settings_that_are_no_networks() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Guard(["nonsense"])
    assert Guard(["10.0.0.0/8"]).problem(ipaddress.ip_address("10.0.0.1"), 1) is None


async def test_every_request_of_every_session_goes_to_an_address_that_was_checked() -> None:
    """Rebinding between two sessions: the second answer of the name is checked like the first."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def resolve(host: str, port: int) -> list[str]:
        return next(answers)

    async with receiving() as receiver:
        poster = HttpPoster(Guard(["127.0.0.1/32"], resolve))
        url = f"http://a.example:{receiver.port}/"
        assert (await post(poster, url)).status == 204
        assert (await post(poster, url)).failure is Failure.REFUSED_ADDRESS
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("mixed", [("127.0.0.1", "10.0.0.1"), ("::ffff:169.254.169.254", "127.0.0.1")])
async def test_a_name_with_one_forbidden_address_gets_no_byte(mixed: tuple[str, ...]) -> None:
    async with receiving() as receiver:
        poster = HttpPoster(Guard(LOOPBACK, found(*mixed)))
        assert (await post(poster, f"http://a.example:{receiver.port}/")).failure is Failure.REFUSED_ADDRESS
    assert receiver.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_kind_of_redirect_is_followed(status: int) -> None:
    async with receiving() as inner:
        async with receiving(lambda n, r: status, extra=f"Location: {inner.url}\r\n".encode()) as outer:
            assert (await post(HttpPoster(Guard(LOOPBACK)), outer.url)).error == f"http_{status}"
        assert inner.requests == []


async def test_user_names_and_fragments_of_a_stored_url_are_not_sent() -> None:
    async with receiving() as receiver:
        url = f"http://user:secret@127.0.0.1:{receiver.port}/hooks#part"
        assert (await post(HttpPoster(Guard(LOOPBACK)), url)).status == 204
        (request,) = receiver.requests
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert "authorization" not in request.headers


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://[::1", "http://a:99999/"])
async def test_what_is_no_address_of_a_web_server_is_not_called(url: str) -> None:
    assert (await post(HttpPoster(Guard(LOOPBACK)), url)).failure is Failure.DNS


async def test_what_is_not_ascii_or_would_end_the_line_is_escaped() -> None:
    """A path cannot smuggle a header or a second request."""
    async with receiving() as receiver:
        url = f"http://127.0.0.1:{receiver.port}/钩子 HTTP/1.1\x0bX: 1?q=值&b=%E5%80%BC"
        assert (await post(HttpPoster(Guard(LOOPBACK)), url)).status == 204
        (request,) = receiver.requests
    assert request.line == "POST /%E9%92%A9%E5%AD%90%20HTTP/1.1%0BX:%201?q=%E5%80%BC&b=%E5%80%BC HTTP/1.1"


async def answering(*answers: bytes) -> tuple[asyncio.Server, str]:
    """A server that gives each connection's requests these raw answers, then closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            await reader.readexactly(length)
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", 101),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", None),
        (b"HTTP/1.1 200 OK\r\nContent-Len", None),
        (b"SSH-2.0-OpenSSH_9.9\r\n", None),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, None),
        (b"", None),
    ],
)
async def test_answers_are_read_as_they_come(answer: bytes, status: int | None) -> None:
    server, url = await answering(answer)
    async with server:
        said = await post(HttpPoster(Guard(LOOPBACK), seconds=5), url)
    assert (said.status, said.failure) == (status, None if status else Failure.BROKEN)


async def test_a_connection_that_its_server_closed_meanwhile_costs_no_failure() -> None:
    server, url = await answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    async with server, HttpPoster(Guard(LOOPBACK)).session(url) as send:
        assert [(await send({}, b"{}")).status for _ in range(5)] == [200] * 5


async def test_a_connection_is_used_again_and_two_at_once_are_two() -> None:
    ports: set[int] = set()
    async with receiving() as receiver:
        receiver.met = ports.add
        async with HttpPoster(Guard(LOOPBACK)).session(receiver.url) as send:
            for _ in range(5):
                assert (await send({}, b"{}")).status == 204
            assert len(ports) == 1
            await asyncio.gather(*(send({}, b"{}") for _ in range(3)))
        assert 2 <= len(ports) <= 3


def test_it_works_on_the_workers_event_loop() -> None:
    """uvloop's transports are no subclass of asyncio's."""

    async def ask() -> Answer:
        async with receiving() as receiver:
            return await post(HttpPoster(Guard(LOOPBACK)), receiver.url)

    assert uvloop.run(ask()).status == 204


async def test_sendclouds_test_asks_by_get_then_by_post_and_stops_at_the_first_that_fails() -> None:
    async with receiving(lambda n, r: 200 if r.line.startswith("GET") else 405) as receiver:
        method, answer = await UrlTest(HttpPoster(Guard(LOOPBACK)))(receiver.url)
        assert (method, answer.error) == ("POST", "http_405")
        receiver.script = lambda n, r: 404
        assert (await UrlTest(HttpPoster(Guard(LOOPBACK)))(receiver.url))[0] == "GET"
        receiver.script = lambda n, r: 200
        assert (await UrlTest(HttpPoster(Guard(LOOPBACK)))(receiver.url))[1].status == 200
    assert [request.line.split()[0] for request in receiver.requests] == ["GET", "POST", "GET", "GET", "POST"]
    assert (await UrlTest(HttpPoster(Guard([])))(receiver.url))[1].failure is Failure.REFUSED_ADDRESS
