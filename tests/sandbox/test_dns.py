"""The DNS server over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import httpx2
import pytest

from sandbox.config import PortBusy, Record, SandboxConfig
from sandbox.parts import Parts
from sandbox.run import running


def texts(reply: dns.message.Message) -> list[str]:
    return [rdata.to_text() for rrset in reply.answer for rdata in rrset]


async def publish(api: httpx2.AsyncClient, name: str, type_: str, *values: str) -> None:
    body = {"name": name, "type": type_, "values": list(values)}
    (await api.put("/dns/records", json=body)).raise_for_status()


async def test_each_provider_is_found_by_mx_and_address(parts: Parts, ask: Any) -> None:
    domains = ("qq.com", "126.com", "sina.com", "gmail.com", "outlook.com", "company.example")
    for number, domain in enumerate(domains, start=1):
        exchange = await ask(domain, "MX")
        assert exchange.flags & dns.flags.AA
        best = min(exchange.answer[0], key=lambda rdata: rdata.preference)
        assert texts(await ask(best.exchange, "A")) == [f"127.0.1.{number}"]


async def test_a_missing_name_and_a_missing_type_are_told_apart(parts: Parts, ask: Any) -> None:
    nowhere = await ask("nobody.published.this.net")
    assert nowhere.rcode() == dns.rcode.NXDOMAIN
    assert nowhere.authority[0].rdtype == dns.rdatatype.SOA
    assert nowhere.authority[0].name.to_text() == "."
    no_text = await ask("qq.com", "TXT")
    assert (no_text.rcode(), no_text.answer) == (dns.rcode.NOERROR, [])
    assert no_text.authority[0].name.to_text() == "qq.com."
    assert no_text.authority[0][0].minimum == 5


async def test_a_name_above_a_published_one_exists_but_is_empty(parts: Parts, api: Any, ask: Any) -> None:
    await publish(api, "sd1._domainkey.mail.shop.com.cn", "TXT", "v=DKIM1; p=abc")
    between = await ask("_domainkey.mail.shop.com.cn", "TXT")
    assert between.rcode() == dns.rcode.NOERROR
    beside = await ask("_dmarc.mail.shop.com.cn", "TXT")
    assert beside.rcode() == dns.rcode.NXDOMAIN
    assert beside.authority[0].name.to_text() == "shop.com.cn."
    await api.delete("/dns/records", params={"name": "sd1._domainkey.mail.shop.com.cn"})
    assert (await ask("_domainkey.mail.shop.com.cn", "TXT")).rcode() == dns.rcode.NXDOMAIN


async def test_cname_is_followed_across_zones(parts: Parts, api: Any, ask: Any) -> None:
    await publish(api, "track.shop.example", "CNAME", "edge.songda.example")
    await publish(api, "edge.songda.example", "A", "127.0.0.1")
    reply = await ask("TRACK.shop.example", "A")
    assert texts(reply) == ["edge.songda.example.", "127.0.0.1"]
    assert texts(await ask("track.shop.example", "CNAME")) == ["edge.songda.example."]
    await api.delete("/dns/records", params={"name": "edge.songda.example"})
    dangling = await ask("track.shop.example", "A")
    assert (dangling.rcode(), len(dangling.answer)) == (dns.rcode.NXDOMAIN, 1)


async def test_a_cname_loop_ends(parts: Parts, api: Any, ask: Any) -> None:
    await publish(api, "a.loop.example", "CNAME", "b.loop.example")
    await publish(api, "b.loop.example", "CNAME", "a.loop.example")
    assert texts(await ask("a.loop.example", "A")) == ["b.loop.example.", "a.loop.example."]


async def test_a_wildcard_answers_for_names_that_do_not_exist(parts: Parts, api: Any, ask: Any) -> None:
    await publish(api, "*.test.example", "MX", "mail.company.example")
    await publish(api, "own.test.example", "A", "127.0.0.9")
    assert texts(await ask("x.y.test.example", "MX")) == ["10 mail.company.example."]
    assert (await ask("own.test.example", "MX")).answer == []


async def test_long_answers_are_truncated_over_udp_and_whole_over_tcp(parts: Parts, api: Any, ask: Any) -> None:
    key = "v=DKIM1; k=rsa; p=" + "A" * 1500
    await publish(api, "big.shop.example", "TXT", key)
    for payload in (False, 4096):
        short = await ask("big.shop.example", "TXT", use_edns=bool(payload), payload=payload or None)
        assert short.flags & dns.flags.TC
        assert short.answer == []
    whole = await ask("big.shop.example", "TXT", tcp=True)
    assert not whole.flags & dns.flags.TC
    strings = whole.answer[0][0].strings
    assert b"".join(strings).decode() == key
    assert max(map(len, strings)) == 255


async def test_edns_raises_the_limit_of_udp(parts: Parts, api: Any, ask: Any) -> None:
    await publish(api, "key.shop.example", "TXT", "k" * 700)
    assert (await ask("key.shop.example", "TXT")).flags & dns.flags.TC
    assert not (await ask("key.shop.example", "TXT", use_edns=True, payload=1232)).flags & dns.flags.TC


async def test_scripted_faults(parts: Parts, api: Any, ask: Any) -> None:
    await api.post("/dns/faults", json={"name": "qq.com", "fault": "servfail", "times": 2})
    assert (await ask("qq.com", "MX")).rcode() == dns.rcode.SERVFAIL
    assert (await ask("qq.com", "MX", tcp=True)).rcode() == dns.rcode.SERVFAIL
    assert (await ask("qq.com", "MX")).rcode() == dns.rcode.NOERROR
    await api.post("/dns/faults", json={"name": "*.163.com", "fault": "timeout"})
    question = dns.message.make_query("deep.down.163.com", "A")
    with pytest.raises(dns.exception.Timeout):
        await dns.asyncquery.udp(question, "127.0.0.1", timeout=0.2, port=parts.config.dns_port)
    assert (await ask("163.com", "MX")).rcode() == dns.rcode.NOERROR
    await api.post("/dns/faults", json={"name": "*.163.com", "fault": None})
    assert (await ask("deep.down.163.com")).rcode() == dns.rcode.NXDOMAIN


async def test_put_replaces_post_adds_delete_takes_one_value(parts: Parts, api: Any, ask: Any) -> None:
    await publish(api, "shop.example", "TXT", "v=spf1 -all", "other")
    await publish(api, "shop.example", "TXT", "v=spf1 ~all")
    added = await api.post("/dns/records", json={"name": "Shop.Example.", "type": "txt", "values": ["sd=1"]})
    assert added.json()["values"] == ["v=spf1 ~all", "sd=1"]
    await api.delete("/dns/records", params={"name": "shop.example", "type": "TXT", "value": "v=spf1 ~all"})
    assert texts(await ask("shop.example", "TXT")) == ['"sd=1"']


BAD_RECORDS: list[tuple[str, str, list[str], str]] = [
    ("a..b", "TXT", ["x"], "name"),
    ("", "TXT", ["x"], "name"),
    ("a.example", "HTTPS", ["x"], "type"),
    ("a.example", "A", ["256.1.1.1"], "values"),
    ("a.example", "MX", [""], "values"),
    ("a.example", "TXT", [], "values"),
    ("qq.com", "CNAME", ["x.example"], "name"),
]


async def test_a_bad_record_is_refused_by_field(parts: Parts, api: Any) -> None:
    for name, type_, values, field in BAD_RECORDS:
        reply = await api.put("/dns/records", json={"name": name, "type": type_, "values": values})
        assert reply.status_code == 422, (name, type_)
        assert reply.json()["detail"].startswith(f"{field}: ")


async def test_edits_survive_a_restart_and_reset_forgets_them(config: SandboxConfig, ask: Any) -> None:
    async with running(config) as parts:
        await parts.zones.publish(Record("shop.example", "A", ("127.0.0.7",)))
        await parts.zones.withdraw("sina.com", "MX")
    async with running(config) as parts:
        assert texts(await ask("shop.example", "A")) == ["127.0.0.7"]
        assert (await ask("sina.com", "MX")).answer == []
        await parts.zones.reset()
        assert (await ask("shop.example", "A")).rcode() == dns.rcode.NXDOMAIN
        assert len((await ask("sina.com", "MX")).answer[0]) == 1


async def test_extra_records_are_published_at_start(config: SandboxConfig, ask: Any) -> None:
    own = Record("_spf.songda.example", "TXT", ("v=spf1 ip4:127.0.0.1 -all",))
    seeded = SandboxConfig(config.data_dir, config.web_port, config.dns_port, config.smtp_port, extra_records=(own,))
    async with running(seeded):
        assert texts(await ask("_spf.songda.example", "TXT")) == ['"v=spf1 ip4:127.0.0.1 -all"']


async def test_junk_is_ignored_and_the_server_goes_on(parts: Parts, ask: Any) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("127.0.0.1", parts.config.dns_port)
    )
    transport.sendto(b"\x00" * 7)
    transport.sendto(b"no dns at all, but longer than a header")
    transport.close()
    _, writer = await asyncio.open_connection("127.0.0.1", parts.config.dns_port)
    writer.write(b"\xff\xffshort")
    writer.close()
    assert (await ask("qq.com", "MX")).rcode() == dns.rcode.NOERROR


async def test_a_busy_port_is_named(parts: Parts, config: SandboxConfig) -> None:
    second = SandboxConfig(config.data_dir / "second", 0, config.dns_port, config.smtp_port)
    with pytest.raises(PortBusy, match=f"DNS cannot listen on 127.0.0.1:{config.dns_port}"):
        async with running(second):
            pass
