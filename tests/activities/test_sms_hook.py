"""SMSHook over real HTTP: what rows say, signed, once, and again when it is asked for."""

import datetime as dt
import json
from urllib.parse import parse_qs
from uuid import UUID

from sqlmodel import update

from domain import sms_events
from domain import webhooks as rules
from domain.ids import Process, new_id
from domain.reviews import Decision
from domain.sendcloud_sms import read_sms_id
from domain.sending import MessageState
from domain.sms import SmsKind
from domain.sms_results import SmsReason
from domain.webhook_forms import app_key, signature
from domain.webhooks import SMS_EVENTS, Format
from services.sms_replies import SmsReplies
from store import webhook_replay as replays
from store.columns import now
from store.db import Database
from store.webhook_replay import WebhookReplay
from store.webhooks import WebhookEndpoint, owe_events
from tests.accounts_world import house
from tests.sending_world import VAULT
from tests.sms_hooks_world import answer, texted
from tests.sms_world import PHONES, SmsCustomer, make_sms_customer
from tests.webhook_receiver import Request, receiving
from tests.webhook_world import Hooks

KEY = app_key()
DAY = dt.timedelta(days=1)


def number() -> str:
    return f"+86{next(PHONES)}"


async def sendcloud(world: Hooks, url: str) -> Process:
    process = await world.endpoint(url, *SMS_EVENTS)
    sealed = VAULT.seal(KEY.encode(), rules.binding(process.subject))
    async with world.db.begin() as session:
        await session.exec(update(WebhookEndpoint).values(format=Format.SENDCLOUD.value, secret=sealed))
    return process


def form(request: Request) -> dict[str, str]:
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    read = {name: values[0] for name, values in parse_qs(request.body.decode(), True, True).items()}
    assert read["signature"] == signature(KEY, int(read["timestamp"]), read["token"])
    assert len(read["token"]) == 50
    return read


async def tell(db: Database, message: int) -> None:
    """As the engine does when a message is accepted, and when it has ended."""
    async with db.raw() as connection:
        row = await connection.fetchrow(
            "SELECT m.*, m.finished_at AS ended_at, s.label, s.tag, s.accepted_at FROM message m"
            " JOIN submission s ON s.id = m.submission_id WHERE m.id = $1",
            message,
        )
        ended = sms_events.ended(row)
        await owe_events(connection, [sms_events.requested(row, row["accepted_at"]), *([ended] if ended else [])])


async def numbered(db: Database, customer: SmsCustomer, label: str) -> str:
    return str(
        await db.pool.fetchval(
            "INSERT INTO sms_label (account_id, name, created_at, updated_at) VALUES ($1, $2, now(), now())"
            " RETURNING id",
            *(customer.account, label),
        )
    )


async def test_each_event_is_posted_with_what_the_rows_say(db: Database) -> None:
    there, customer = await house(db), await make_sms_customer(db, fen=0)
    world, phone = Hooks(db, customer), number()  # type: ignore[arg-type]
    label = await numbered(db, customer, "autumn")
    async with receiving(lambda n, r: 200) as receiver:
        process = await sendcloud(world, receiver.url)
        for state, reason in (
            (MessageState.DELIVERED, ""), (MessageState.DROPPED, SmsReason.OPTED_OUT),
            (MessageState.BOUNCED, SmsReason.EMPTY_NUMBER),
        ):  # fmt: skip
            await tell(db, await texted(db, customer, phone, state=state, reason=reason, label="autumn", tag="t-1"))
        await SmsReplies(there.base).take(answer(phone, "退订"))
        async with db.raw() as connection:
            await owe_events(
                connection, [sms_events.reviewed(customer.account, 1, 1, "x", Decision.REJECT, "no", now())]
            )
        assert (await world.drain(process)).delivered == 8
    forms = [form(request) for request in receiver.requests]
    assert sorted(each["eventType"] for each in forms) == ["1", "1", "1", "2", "4", "5", "6", "8"]
    of_messages = [each for each in forms if each["eventType"] in "1245"]
    assert {(each["smsUser"], each["templateId"], each["labelId"], each["tag"]) for each in of_messages} == {
        (customer.name, str(customer.numbers[SmsKind.MARKETING]), label, "t-1")
    }
    assert {each["statusCode"] for each in forms if "statusCode" in each} == {"430", "500"}
    submitted = {bool(each.get("outboundTime")) for each in forms if each["eventType"] in "25"}
    assert submitted == {True}
    for each in of_messages:
        named = read_sms_id(each["smsId"] if "smsId" in each else json.loads(each["smsIds"])[0])
        assert named is not None
        assert named.phone == phone
    (reply,) = [each for each in forms if each["eventType"] == "6"]
    assert (reply["smsUser"], reply["replyContent"]) == (customer.name, "退订")
    assert len({each["userId"] for each in forms}) == 1


async def test_json_of_the_standard_format(db: Database) -> None:
    customer, phone = await make_sms_customer(db, fen=0), number()
    world = Hooks(db, customer)  # type: ignore[arg-type]
    async with receiving(lambda n, r: 200) as receiver:
        process = await world.endpoint(receiver.url, *SMS_EVENTS)
        await tell(db, await texted(db, customer, phone, state=MessageState.BOUNCED, reason=SmsReason.SUSPENDED))
        await world.drain(process)
    told = {body["type"]: body["data"] for body in (json.loads(request.body) for request in receiver.requests)}
    assert set(told) == {"sms_request", "sms_delivererror"}
    assert {name: told["sms_delivererror"][name] for name in ("phone", "status_code", "class", "segments")} == {
        "phone": phone, "status_code": 510, "class": "sms.suspended", "segments": 2,
    }  # fmt: skip


async def test_what_no_carrier_took_was_never_outbound(db: Database) -> None:
    customer = await make_sms_customer(db, fen=0)
    world, message = Hooks(db, customer), await texted(db, customer, number(), state=MessageState.BOUNCED)  # type: ignore[arg-type]
    await db.pool.execute("UPDATE message SET submitted = 0, reason = 'expired'")
    async with receiving(lambda n, r: 200) as receiver:
        process = await sendcloud(world, receiver.url)
        await tell(db, message)
        await world.drain(process)
    (failed,) = [each for each in map(form, receiver.requests) if each["event"] == "delivererror"]
    assert failed["outboundTime"] == "" and failed["receiptTime"]


async def test_an_endpoint_hears_what_it_chose(db: Database) -> None:
    customer = await make_sms_customer(db, fen=0)
    world = Hooks(db, customer)  # type: ignore[arg-type]
    async with receiving(lambda n, r: 200) as receiver:
        process = await world.endpoint(receiver.url, rules.Event.SMS_DELIVER)
        await tell(db, await texted(db, customer, number(), state=MessageState.DELIVERED))
        assert (await world.drain(process)).delivered == 1


async def test_a_replay_rebuilds_what_was_never_owed_and_repeats_what_was(db: Database) -> None:
    there, customer = await house(db), await make_sms_customer(db, fen=0)
    world, phone = Hooks(db, customer), number()  # type: ignore[arg-type]
    for state in (MessageState.DELIVERED, MessageState.SENT):
        await texted(db, customer, phone, state=state)
    await SmsReplies(there.base).take(answer(phone, "1"))
    await db.pool.execute(
        "UPDATE sms_template_version SET decided_at = now() - interval '1 minute', reason = '' WHERE id = $1",
        customer.versions[SmsKind.CODE],
    )
    expected = sorted(["sms_request"] * 2 + ["sms_deliver", "sms_reply", "sms_template_verify"])
    async with receiving(lambda n, r: 200) as receiver:
        process = await world.endpoint(receiver.url, *SMS_EVENTS)
        for turn, counts in enumerate(((0, 5), (5, 0))):
            done = await replayed(world, process)
            assert (done.repeated, done.rebuilt) == counts
            told = [json.loads(request.body)["type"] for request in receiver.requests[turn * 5 :]]
            assert sorted(told) == expected
    assert len(set(receiver.ids)) == 5, "a repeat keeps its id"


async def test_a_replay_of_one_message_tells_no_reviews(db: Database) -> None:
    customer = await make_sms_customer(db, fen=0)
    world = Hooks(db, customer)  # type: ignore[arg-type]
    message = await texted(db, customer, number(), state=MessageState.DELIVERED)
    await db.pool.execute("UPDATE sms_template_version SET decided_at = now() - interval '1 minute'")
    submission = await db.pool.fetchval("SELECT submission_id FROM message WHERE id = $1", message)
    async with receiving(lambda n, r: 200) as receiver:
        process = await world.endpoint(receiver.url, *SMS_EVENTS)
        await replayed(world, process, submission=submission, message=message)
    assert sorted(json.loads(request.body)["type"] for request in receiver.requests) == ["sms_deliver", "sms_request"]


async def replayed(
    world: Hooks, process: Process, submission: UUID | None = None, message: int | None = None
) -> WebhookReplay:
    key = new_id()
    async with world.db.begin() as session:
        session.add(
            WebhookReplay(
                id=key, account_id=world.customer.account, endpoint_id=UUID(process.subject), since=now() - DAY,
                until=now(), events=[event.value for event in SMS_EVENTS], submission_id=submission, message_id=message,
            )
        )  # fmt: skip
    for _ in range(9):
        await world.drain(process)
        async with world.db.read() as session:
            (newest,) = await replays.replays_of(session, UUID(process.subject), 1)
        if newest.finished_at is not None:
            return newest
    raise AssertionError("the replay does not end")
