"""The webhook catcher."""

from __future__ import annotations

from typing import Any

from sandbox.config import SandboxConfig
from sandbox.hooks import HookScript
from sandbox.run import running


async def test_requests_are_kept_with_headers_and_body(api: Any) -> None:
    reply = await api.post("/hooks/shop?x=1", content=b'{"event":"deliver"}', headers={"X-Songda-Signature": "abc"})
    assert (reply.status_code, reply.text) == (200, "")
    caught = (await api.get("/hooks/shop/requests")).json()["requests"]
    assert len(caught) == 1
    assert (caught[0]["body"], caught[0]["query"]) == ('{"event":"deliver"}', "x=1")
    assert ["x-songda-signature", "abc"] in caught[0]["headers"]
    assert (await api.get("/hooks/other/requests")).json() == {"requests": []}


async def test_a_script_answers_for_some_requests(api: Any) -> None:
    script = {"status": 503, "body": "busy", "times": 2}
    await api.put("/hooks/shop/script", json=script)
    answers = [await api.post("/hooks/shop", content=b"x") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].text == "busy"
    caught = (await api.get("/hooks/shop/requests", params={"after": 1})).json()["requests"]
    assert [request["answered"] for request in caught] == [503, 200]
    assert (await api.put("/hooks/shop/script", json={"status": 99})).status_code == 422
    assert (await api.delete("/hooks/shop/requests")).json() == {"deleted": 3}


async def test_a_long_body_is_refused(api: Any) -> None:
    assert (await api.post("/hooks/shop", content=b"x" * (5 * 1024 * 1024 + 1))).status_code == 413
    assert (await api.post("/hooks/sh%20op", content=b"x")).status_code == 422


async def test_scripts_and_requests_survive_a_restart(config: SandboxConfig) -> None:
    async with running(config) as parts:
        await parts.hooks.set_script("shop", HookScript(500))
        await parts.hooks.catch("shop", "", [], b"1")
    async with running(config) as parts:
        assert (await parts.hooks.catch("shop", "", [], b"2")).status == 500
        assert [row["id"] for row in await parts.hooks.requests("shop", 0, 10)] == [1, 2]


async def test_a_program_that_tries_an_address_is_answered_and_a_browser_is_shown_the_page(api: Any) -> None:
    """SendCloud's receivers answer GET, too, before they are used."""
    assert (await api.get("/hooks/shop")).status_code == 200
    await api.put("/hooks/shop/script", json={"status": 503})
    assert (await api.get("/hooks/shop")).status_code == 503
    shown = await api.get("/hooks/shop", headers={"Accept": "text/html"})
    assert (shown.status_code, shown.headers["location"]) == (307, "/ui/hooks/shop")
    assert (await api.get("/hooks/shop/requests")).json() == {"requests": []}
