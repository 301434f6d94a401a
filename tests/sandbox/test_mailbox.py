"""The mailbox API and DKIM results."""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.parts import Parts
from tests.patience import until


@cache
def key_pair() -> tuple[bytes, str]:
    """A private key in PEM and the value of its DNS record."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem, "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()


def signed(raw: bytes, domain: str = "songda.example") -> bytes:
    raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    header = dkim.sign(raw, b"sd1", domain.encode(), key_pair()[0], canonicalize=(b"relaxed", b"relaxed"))
    return bytes(header) + raw


async def verified(api: Any, number: int = 1) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        message: dict[str, Any] = (await api.get(f"/mailbox/messages/{number}")).json()
        return message if message["dkim"] else None

    found: dict[str, Any] = await until(look, 3)
    return found


async def publish_key(api: Any) -> None:
    body = {"name": "sd1._domainkey.songda.example", "type": "TXT", "values": [key_pair()[1]]}
    (await api.put("/dns/records", json=body)).raise_for_status()


async def test_a_signature_passes_with_the_key_from_our_dns(api: Any, send: Any, make_letter: Any) -> None:
    await publish_key(api)
    await send("amy@qq.com", mail=signed(make_letter("amy@qq.com").as_bytes()))
    message = await verified(api)
    assert message["dkim"] == "pass"
    signature = message["signatures"][0]
    assert (signature["domain"], signature["selector"], signature["aligned"]) == (
        "songda.example",
        "sd1",
        True,
    )
    totals = (await api.get("/mailbox/count")).json()
    assert totals["by_dkim"] == {"pass": 1}
    assert totals["per_recipient"][0]["dkim_pass"] == 1


async def test_a_changed_body_fails_and_says_why(api: Any, send: Any, make_letter: Any) -> None:
    await publish_key(api)
    raw = signed(make_letter("amy@qq.com").as_bytes()).replace(b"Confirm", b"Conform")
    await send("amy@qq.com", mail=raw)
    message = await verified(api)
    assert message["dkim"] == "fail"
    assert "body hash mismatch" in message["signatures"][0]["reason"]


async def test_a_missing_key_and_a_foreign_domain_are_named(api: Any, send: Any, make_letter: Any) -> None:
    await send("amy@qq.com", mail=signed(make_letter("amy@qq.com").as_bytes(), "other.example"))
    message = await verified(api)
    assert message["dkim"] == "fail"
    assert message["signatures"][0]["aligned"] is False
    assert "no key published at sd1._domainkey.other.example" in message["signatures"][0]["reason"]


BROKEN = (
    b"DKIM-Signature: rubbish\r\n",
    b"DKIM-Signature: v=1; a=x; d=\xff; s=\r\n",
    b" a folded first line\r\n",
)


@pytest.mark.parametrize("header", BROKEN)
async def test_a_broken_signature_is_a_result_and_no_crash(
    api: Any, send: Any, make_letter: Any, header: bytes
) -> None:
    await send("amy@qq.com", mail=header + make_letter("amy@qq.com").as_bytes())
    assert (await verified(api))["dkim"] == "fail"
    await send("amy@qq.com")
    assert (await verified(api, 2))["dkim"] == "none"


async def test_a_mail_is_taken_apart(api: Any, send: Any) -> None:
    await send("amy@qq.com")
    message = (await api.get("/mailbox/messages/1")).json()
    assert message["text"].startswith("Confirm at https://")
    assert "<b>there</b>" in message["html"]
    assert ["Subject", "你好 hello"] in message["headers"]
    assert message["raw"].startswith("From: ")
    assert (await api.get("/mailbox/messages/99")).status_code == 404


async def test_a_mail_of_bad_bytes_is_kept_and_shown(api: Any, send: Any) -> None:
    raw = b"Subject: =?nope?b?xx?= \xff\xfe\r\nContent-Type: text/plain; charset=ufo\r\n\r\n\xff\x00body\r\n"
    await send("amy@qq.com", mail=raw)
    message = (await api.get("/mailbox/messages/1")).json()
    assert message["text"].endswith("body\r\n")
    assert (await api.get("/ui/messages/1")).status_code == 200
    assert (await api.get("/mailbox/messages/1/raw")).content == raw


async def test_filters_and_cursors(api: Any, send: Any) -> None:
    for number, to in enumerate(["amy@qq.com", "bob@qq.com", "amy@qq.com"]):
        await send(to, message_id=f"<{number}@x>")
    await send("amy@163.com", "163")

    async def ids(**query: Any) -> list[int]:
        reply = await api.get("/mailbox/messages", params=query)
        return [message["id"] for message in reply.json()["messages"]]

    assert await ids() == [4, 3, 2, 1]
    assert await ids(to="AMY@qq.com") == [3, 1]
    assert await ids(to="amy") == [4, 3, 1]
    assert await ids(to="@qq.com", limit=2) == [3, 2]
    assert await ids(provider="163") == [4]
    assert await ids(after=1, limit=2) == [2, 3]
    assert await ids(before=3) == [2, 1]
    assert await ids(message_id="<1@x>") == [2]


async def test_deleting_takes_the_chosen_only_and_numbers_go_on(parts: Parts, api: Any, send: Any) -> None:
    for to in ("amy@qq.com", "bob@qq.com"):
        await send(to)
    assert (await api.delete("/mailbox/messages", params={"to": "bob@qq.com"})).json() == {"deleted": 1}
    assert (await api.get("/mailbox/count")).json()["per_recipient"][0]["recipient"] == "amy@qq.com"
    assert (await api.delete("/mailbox/messages")).json() == {"deleted": 1}
    assert "queued as 3" in await send("amy@qq.com")
