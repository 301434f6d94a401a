"""SMSHook's form, field by field (reference §8.5), and the facts that it is made of."""

import base64
import datetime as dt
from typing import Any
from uuid import UUID

import pytest

from domain import sms_events
from domain.ids import new_id
from domain.reviews import Decision
from domain.sendcloud_sms import sms_id
from domain.sending import MessageState
from domain.sms_hook import FAILURES, TYPES, SmsAbout, form_of, user_id
from domain.sms_results import ResultCode, SmsReason
from domain.webhook_forms import signature, signed_form
from domain.webhooks import Event, OwedEvent

AT = dt.datetime(2026, 12, 1, 8, 0, 0, 250_000, tzinfo=dt.UTC)
ACCOUNT, SEND = new_id(), UUID("0192f0c1-2a4b-7c3d-8e9f-0a1b2c3d4e5f")
ABOUT = SmsAbout(ACCOUNT, "shop_sms", 1001, 1007, AT - dt.timedelta(seconds=3))
ROW: dict[str, Any] = {
    "account_id": ACCOUNT, "submission_id": SEND, "id": 4711, "ordinal": 3, "address": "+8613800138000",
    "label": "autumn", "tag": '{"order":"A-1"}', "segments": 2, "submitted": 2, "state": "delivered", "reason": "",
    "reply": "DELIVRD", "ended_at": AT,
}  # fmt: skip
REPLY = {
    "id": new_id(), "account_id": ACCOUNT, "message_id": 4711, "phone": "+8613800138000", "content": "退订",
    "is_opt_out": True, "at": AT,
}  # fmt: skip
COMMON = {
    "userId": str(user_id(ACCOUNT)), "smsUser": "shop_sms", "templateId": "1001", "labelId": "1007",
    "timestamp": "1796112000250",
}  # fmt: skip
OF_MESSAGE = {"msgType": "0", "msgCount": "2", "tag": '{"order":"A-1"}', "customArgs": '{"order":"A-1"}'}
TIMES = {"outboundTime": "2026-12-01 15:59:57", "receiptTime": "2026-12-01 16:00:00"}
NAME = sms_id(SEND, 3, "+8613800138000")


def form(event: OwedEvent, about: SmsAbout = ABOUT) -> dict[str, str]:
    return form_of(event.kind.value, event.occurred_at, event.data, about)


def ended(**changes: object) -> OwedEvent:
    event = sms_events.ended(ROW | changes)
    assert event is not None
    return event


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_request() -> None:
    assert form(sms_events.requested(ROW, AT)) == COMMON | OF_MESSAGE | {
        "event": "request", "eventType": "1", "message": "request", "smsIds": f'["{NAME}"]',
        "phones": '["13800138000"]',
    }  # fmt: skip


def test_deliver() -> None:
    assert form(ended()) == COMMON | OF_MESSAGE | TIMES | {
        "event": "deliver", "eventType": "2", "message": "Successfully delivered", "smsId": NAME,
        "phone": "13800138000",
    }  # fmt: skip


def test_workererror_as_the_reference_samples_it() -> None:
    text = "smsworker:address in unsubscribe list"
    assert form(ended(state="dropped", reason=SmsReason.OPTED_OUT, submitted=0)) == COMMON | OF_MESSAGE | {
        "event": "workererror", "eventType": "4", "message": text, "encodeMessage": b64(text), "statusCode": "430",
        "smsId": NAME, "phone": "13800138000",
    }  # fmt: skip


def test_delivererror() -> None:
    said = form(ended(state="bounced", reason=SmsReason.EMPTY_NUMBER, reply="UNDELIV MK:0001"))
    assert said == COMMON | OF_MESSAGE | TIMES | {
        "event": "delivererror", "eventType": "5", "message": "empty phone number",
        "encodeMessage": b64("empty phone number"), "statusCode": "500", "smsId": NAME, "phone": "13800138000",
    }  # fmt: skip


def test_a_message_that_is_gone_has_no_time() -> None:
    assert form(ended(), SmsAbout(ACCOUNT))["outboundTime"] == ""


def test_reply_names_no_message() -> None:
    assert form(sms_events.replied(REPLY)) == COMMON | {
        "event": "reply", "eventType": "6", "message": "reply", "phone": "13800138000", "replyContent": "退订",
        "encodeReplyContent": b64("退订"), "replyTime": "2026-12-01 16:00:00",
    }  # fmt: skip


@pytest.mark.parametrize(("decision", "result"), [(Decision.APPROVE, "1"), (Decision.REJECT, "-1")])
def test_template_verify_is_misspelt_as_sendcloud_misspells_it(decision: Decision, result: str) -> None:
    event = sms_events.reviewed(ACCOUNT, 1002, 3, "发货通知", decision, "缺少签名", AT)
    assert form(event, SmsAbout(ACCOUNT)) == COMMON | {
        "event": "templateVerify", "eventType": "8", "message": "templateVerify", "templateId": "1002", "smsUser": "",
        "labelId": "0", "name": "发货通知", "verfiyResult": result, "verfiyComment": "缺少签名",
    }  # fmt: skip


def test_other_countries_numbers_keep_their_plus() -> None:
    said = form(ended(address="+447400123456"))
    assert (said["phone"], said["msgType"]) == ("+447400123456", "2")


@pytest.mark.parametrize("reason", SmsReason)
def test_every_reason_has_an_event_and_a_code(reason: SmsReason) -> None:
    event = ended(state="bounced", reason=reason)
    code = int(form(event)["statusCode"])
    assert event.kind is (Event.SMS_DELIVERERROR if code >= 500 else Event.SMS_WORKERERROR)
    assert event.data["class"] == reason


@pytest.mark.parametrize("state", [MessageState.QUEUED, MessageState.SENT])
def test_nothing_is_told_while_it_may_still_arrive(state: MessageState) -> None:
    assert sms_events.ended(ROW | {"state": state, "reason": SmsReason.UNCERTAIN}) is None


def test_what_nobody_reported_of_is_told_as_a_failure() -> None:
    assert form(ended(state="unknown", reason=SmsReason.UNCERTAIN))["statusCode"] == "590"


def test_every_event_and_every_code_has_its_words() -> None:
    assert {event for event in Event if event.is_sms} == set(TYPES)
    assert set(FAILURES) == set(ResultCode)


def test_the_signature_is_that_of_the_worked_example() -> None:
    """Reference §8.2."""
    key, token = "test_appkey", "iSXtPWbCNO5qiBrLhTRX48dbRujd3t0lL8RLg7ocJbhiDh6WxJ"
    wanted = "fbde4533b27a16c53d8e25b38c28f7edc245e7c776f9a6e99e3f7fe5a8c2a8be"
    assert signature(key, 1426571113188, token) == wanted
    assert f"signature={wanted}".encode() in signed_form({"timestamp": "1426571113188"}, key, token)
