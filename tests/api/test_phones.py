"""`/v1/registrations/phone…` and `/v1/account/phone…`, as a program uses them."""

from store.db import Database
from tests.accounts_world import ALICE, PASSWORD
from tests.phone_world import MINUTE, PHONE, code_of, later, phone_house, solved


async def test_a_program_registers_with_a_number(db: Database) -> None:
    home = await phone_house(db)
    form = {"name": "Alice", "email": ALICE, "password": PASSWORD, "phone": "138 0013 8000"}
    async with home.browser() as client:
        token = (await client.post("/v1/registrations", json=form)).json()["registration_token"]
        asked = {"registration_token": token, "proof": ""}
        lazy = await client.post("/v1/registrations/phone", json=asked)
        assert (lazy.status_code, lazy.json()["code"], lazy.json()["field"]) == (422, "proof_needed", "proof")
        proof = solved((await client.get("/v1/registrations/challenge")).json())
        sent = await client.post("/v1/registrations/phone", json=asked | {"proof": proof})
        assert (sent.status_code, sent.json()["state"], sent.json()["phone"]) == (202, "sent", PHONE)
        again = await client.post("/v1/registrations/phone", json=asked | {"proof": proof})
        assert again.status_code == 429
        typed = {"registration_token": token, "code": await code_of(home)}
        done = await client.post("/v1/registrations/phone/confirm", json=typed)
        assert (done.status_code, done.json()["confirmed"]) == (200, PHONE)
        assert (await client.post("/v1/registrations/phone/confirm", json=typed)).json() == done.json()
        bad = typed | {"registration_token": "rt_guessed"}
        assert (await client.post("/v1/registrations/phone/confirm", json=bad)).json()["code"] == "registration_over"


async def test_a_member_has_one_number(db: Database) -> None:
    home = await phone_house(db)
    signed = await home.member()
    async with home.browser(authorization=f"Bearer {signed.token}") as client:
        assert (await client.get("/v1/account/phone")).json()["state"] == "none"
        proof = solved((await client.get("/v1/registrations/challenge")).json())
        answer = await client.post("/v1/account/phone", json={"phone": "+86 138 0013 8000", "proof": proof})
        assert answer.status_code == 202
        await client.post("/v1/account/phone/confirm", json={"code": await code_of(home)})
        assert (await client.get("/v1/account/phone")).json()["confirmed"] == PHONE
        await later(home, MINUTE)
        replayed = await client.post("/v1/account/phone", json={"phone": "13900139000", "proof": proof})
        assert (replayed.status_code, replayed.json()["code"]) == (409, "proof_over")
        assert (await client.delete("/v1/account/phone")).status_code == 204
        assert (await client.get("/v1/account/phone")).json()["state"] == "none"
    async with home.browser() as client:
        for method, path in (("GET", ""), ("POST", ""), ("POST", "/confirm"), ("DELETE", "")):
            assert (await client.request(method, f"/v1/account/phone{path}", json={})).status_code in (401, 422)
