"""Handsets: what carriers took, what owners write back; the carriers themselves behind HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.config import SandboxConfig
from sandbox.handsets import assembled
from sandbox.smsc_script import table
from tests.smpp_world import Heard, MemoryBook, config_of, gateway, ready, sms, until

PHONE = "+8613800130000"
LONG = "【送达】" + "很长的文字😀" * 20


def book_of(config: SandboxConfig) -> MemoryBook:
    return MemoryBook(config_of(config.smtp_port, host="127.0.1.8"))


async def test_texts_are_kept_shown_and_answered(api: Any, config: SandboxConfig) -> None:
    heard = Heard()
    async with gateway(book_of(config), heard) as carriers:
        await ready(carriers)
        carrier = carriers.get(1)
        assert carrier is not None
        for text in ("【送达】hello https://songda.example/c/1.", LONG):
            await carrier.submit(sms(PHONE, text))
        found = (await api.get("/handsets/messages", params={"to": "13800130000"})).json()["messages"]
        assert [message["content"] for message in found] == [LONG, "【送达】hello https://songda.example/c/1."]
        assert (found[0]["parts"], found[0]["total"], len(found[0]["smsc_ids"])) == (3, 3, 3)
        after = (await api.get("/handsets/messages", params={"after": 0})).json()["messages"]
        assert [message["content"] for message in after] == [message["content"] for message in found[::-1]]
        page = (await api.get("/ui/handsets/8613800130000")).text
        assert LONG in page and 'href="https://songda.example/c/1"' in page
        assert PHONE in (await api.get("/ui/handsets")).text
        answer = await api.post("/ui/handsets/8613800130000/replies", data={"content": "退订 <b>"})
        assert answer.status_code == 303
        await until(lambda: [reply.content for reply in heard.replies] == ["退订 <b>"])
        assert heard.replies[0].recipient == "106900001"
        assert "退订 &lt;b&gt;" in (await api.get("/ui/handsets/8613800130000")).text
        counted = (await api.get("/handsets/count")).json()
        assert (counted["parts"], counted["messages"], counted["numbers"], counted["repeated"]) == (4, 2, 1, [])
        await carrier.submit(sms(PHONE, LONG))
        assert len((await api.get("/handsets/count")).json()["repeated"]) == 3, "a number got the same text twice"
        assert (await api.delete("/handsets/messages")).json() == {"deleted": 8}


async def test_a_number_that_got_nothing_cannot_answer(api: Any) -> None:
    assert (await api.post("/handsets/8613800130001/replies", json={"content": "TD"})).status_code == 404
    assert (await api.post("/ui/handsets/8613800130001/replies", data={"content": "TD"})).status_code == 404
    assert (await api.get("/handsets/x'y/replies")).status_code in (404, 405)
    named = {"content": "TD", "carrier": "cpm", "to": "106900001"}
    assert (await api.post("/handsets/8613800130001/replies", json=named)).json() == {
        "carrier": "cpm",
        "to": "106900001",
    }


async def test_what_a_handset_answers_by_itself_is_shown(api: Any, config: SandboxConfig) -> None:
    heard = Heard()
    async with gateway(book_of(config), heard) as carriers:
        await ready(carriers)
        await carriers.get(1).submit(sms("+8613800139034"))  # type: ignore[union-attr]
        await until(lambda: [reply.content for reply in heard.replies] == ["hello"])
        newest, oldest = (await api.get("/handsets/messages", params={"to": "+8613800139034"})).json()["messages"]
        assert (newest["content"], newest["from_handset"], oldest["from_handset"]) == ("hello", True, False)


async def test_carriers_are_steered(api: Any, config: SandboxConfig) -> None:
    shown = (await api.get("/handsets")).json()
    assert [carrier["name"] for carrier in shown["carriers"]] == ["cpm", "pit"]
    assert {"9001", "9020", "others"} <= {number["ends_with"] for number in shown["numbers"]}
    assert (await api.put("/handsets/carriers/nobody", json={})).status_code == 404
    assert (await api.post("/handsets/carriers/nobody/disconnect")).status_code == 404
    book, heard = book_of(config), Heard()
    async with gateway(book, heard) as carriers:
        await ready(carriers)
        carrier = carriers.get(1)
        assert carrier is not None
        changed = (await api.put("/handsets/carriers/cpm", json={"throttle": 1, "receipts": False})).json()
        assert (changed["behaviour"]["throttle"], changed["sessions"]) == (1, ["TRX"])
        texts = [(await carrier.submit(sms(PHONE))).outcome.text for _ in range(3)]
        assert texts[0] == "" and "ESME_RTHROTTLED" in texts[1:]
        assert (await api.put("/handsets/carriers/cpm", json={"throttle": 0})).json()["behaviour"]["throttle"] is None
        assert (await api.post("/handsets/carriers/cpm/disconnect")).json() == {"disconnected": 1}
        await until(lambda: (book.sights and book.sights[0].bound == 0) or not carrier.ready)
        await ready(carriers)


def test_the_table_of_numbers_is_the_readmes() -> None:
    readme = (Path(__file__).parents[2] / "sandbox" / "README.md").read_text()
    for digits, what in table():
        assert f"| `{digits}` | {what} |" in readme


def test_a_text_that_came_twice_is_two() -> None:
    row = {"id": 1, "at": 0.0, "carrier": "c", "phone": "+1", "source": "1", "reference": 7, "from_handset": 0,
           "concatenation": 7, "total": 2, "smsc_id": "x"}  # fmt: skip
    rows = [row | {"part": part, "content": str(part)} for part in (1, 1, 2, 2)]
    assert [message["parts"] for message in assembled(rows)] == [1, 2, 1]
