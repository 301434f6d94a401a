"""`/v1` of registration, sessions, passwords and contact over ASGI."""

from typing import Any

import httpx2

from store.db import Database
from tests.accounts_world import ALICE, BOB, PASSWORD, House, house

NEW_PASSWORD = "another set of words"
FORM = {"name": "Alice & Co", "email": ALICE, "password": PASSWORD, "language": "en"}


async def confirmed(home: House, client: httpx2.AsyncClient) -> dict[str, Any]:
    """A registration made and confirmed over the API."""
    made = (await client.post("/v1/registrations", json=FORM)).json()
    await home.look(made["account_id"])
    token = (await home.mails(ALICE))[-1].token
    answer = await client.post("/v1/registrations/confirm", json={"token": token})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def session_of(client: httpx2.AsyncClient, password: str = PASSWORD) -> dict[str, str]:
    """The headers of a new session."""
    answer = await client.post("/v1/sessions", json={"email": ALICE, "password": password})
    assert answer.status_code == 201, answer.text
    return {"authorization": f"Bearer {answer.json()['token']}"}


async def test_a_program_registers_confirms_and_signs_in(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        answer = await client.post("/v1/registrations", json=FORM)
        made = answer.json()
        assert answer.status_code == 201
        assert made["workflow_id"] == f"registration/{made['account_id']}"
        early = await client.post("/v1/sessions", json={"email": ALICE, "password": PASSWORD})
        assert (early.status_code, early.json()["code"]) == (403, "email_not_confirmed")
        done = await confirmed(home, client)
        assert done["workflow_id"] == f"onboarding/{done['account_id']}"
        headers = await session_of(client)
        account = (await client.get("/v1/account", headers=headers)).json()
        assert account == {
            "account_id": done["account_id"], "name": "Alice & Co", "email": ALICE, "language": "en",
        }  # fmt: skip
        changed = await client.patch("/v1/account", json={"language": "zh"}, headers=headers)
        assert changed.json()["language"] == "zh"


async def test_confirming_again_answers_the_same(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        first = await confirmed(home, client)
        token = (await home.mails(ALICE))[0].token
        again = await client.post("/v1/registrations/confirm", json={"token": token})
        assert again.json() == first
        bad = await client.post("/v1/registrations/confirm", json={"token": "ce_nonsense"})
        assert (bad.status_code, bad.json()["field"]) == (410, "token")


async def test_the_registration_token_corrects_and_resends(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        made = (await client.post("/v1/registrations", json=FORM)).json()
        token = {"registration_token": made["registration_token"]}
        early = await client.post("/v1/registrations/resend", json=token)
        assert early.status_code == 429
        assert int(early.headers["retry-after"]) > 50
        corrected = await client.post("/v1/registrations/address", json=token | {"email": BOB})
        assert corrected.status_code == 202
        assert "registration_token" not in corrected.json()
        await home.look(made["account_id"])
        assert [mail.label for mail in await home.mails(BOB)] == ["confirm-email"]
        nobody = await client.post("/v1/registrations/resend", json={"registration_token": "rt_nonsense"})
        assert (nobody.status_code, nobody.json()["code"]) == (409, "registration_over")


async def test_a_refusal_names_its_field_and_the_next_step_in_the_callers_language(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        bad = await client.post("/v1/registrations", json=FORM | {"password": "short"})
        problem = bad.json()
        assert bad.headers["content-type"] == "application/problem+json"
        assert (bad.status_code, problem["code"], problem["field"]) == (422, "password_too_short", "password")
        assert "10 characters" in problem["next_step"]
        chinese = await client.post(
            "/v1/registrations", json=FORM | {"email": "x"}, headers={"accept-language": "zh-CN"}
        )
        assert "缺少 @" in chinese.json()["detail"]
        missing = await client.post("/v1/registrations", json={"email": ALICE})
        assert (missing.status_code, missing.json()["field"]) == (422, "name")
        secret = await client.post("/v1/registrations", json=FORM | {"password": ["very secret words"]})
        assert "very secret words" not in secret.text


async def test_sessions_are_listed_and_ended(db: Database) -> None:
    home = await house(db)
    async with home.browser(**{"user-agent": "acme-deploy/1.2"}) as client:
        await confirmed(home, client)
        one, two, three = [await session_of(client) for _ in range(3)]
        items = (await client.get("/v1/sessions", headers=one)).json()["items"]
        assert len(items) == 3
        assert {item["client"] for item in items} == {"acme-deploy/1.2"}
        [mine] = [item["id"] for item in items if item["current"]]
        assert (await client.delete("/v1/sessions", headers=two)).status_code == 204
        assert (await client.get("/v1/sessions", headers=one)).status_code == 401
        assert (await client.get("/v1/sessions", headers=three)).status_code == 401
        gone = await client.delete(f"/v1/sessions/{mine}", headers=two)
        assert gone.status_code == 404
        [last] = (await client.get("/v1/sessions", headers=two)).json()["items"]
        assert (await client.delete(f"/v1/sessions/{last['id']}", headers=two)).status_code == 204
        out = await client.get("/v1/sessions", headers=two)
        assert (out.status_code, out.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_browsers_cookie_is_no_key_of_the_api(db: Database) -> None:
    """Else another site's page could post JSON with it."""
    home = await house(db)
    signed = await home.member()
    async with home.browser() as client:
        client.cookies.set("songda_session", signed.token)
        assert (await client.get("/v1/account")).status_code == 401


async def test_passwords_are_changed_and_reset(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        await confirmed(home, client)
        headers = await session_of(client)
        change = {"current": PASSWORD, "new": NEW_PASSWORD}
        assert (await client.put("/v1/account/password", json=change, headers=headers)).status_code == 204
        wrong = await client.put("/v1/account/password", json=change, headers=headers)
        assert (wrong.status_code, wrong.json()["field"]) == (422, "current")
        answers = [await client.post("/v1/password-resets", json={"email": email}) for email in (ALICE, BOB)]
        assert [(a.status_code, a.content) for a in answers] == [(202, b"")] * 2
        token = (await home.mails(ALICE))[-1].token
        reset = {"token": token, "password": PASSWORD}
        assert (await client.post("/v1/password-resets/complete", json=reset)).status_code == 204
        assert (await client.post("/v1/password-resets/complete", json=reset)).status_code == 410
        assert (await client.get("/v1/account", headers=headers)).status_code == 401
        await session_of(client)


async def test_contact_answers_with_a_number(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        answer = await client.post("/v1/contact", json={"email": ALICE, "subject": "Hello", "body": "A question"})
        assert answer.status_code == 201
        [mail] = await home.mails(home.base.policy.support_email)
        assert mail.variables["number"] == answer.json()["number"]


async def test_every_route_of_accounts_has_examples(db: Database) -> None:
    home = await house(db)
    schema = home.app.openapi()
    bodies = [
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for path, item in schema["paths"].items()
        if path.startswith(("/v1/registrations", "/v1/sessions", "/v1/account", "/v1/password"))
        or path == "/v1/contact"
        for operation in item.values()
        if "requestBody" in operation
    ]
    assert len(bodies) == 14
    for name in bodies:
        for field, shape in schema["components"]["schemas"][name]["properties"].items():
            assert "examples" in shape or "enum" in shape, f"{name}.{field}"
