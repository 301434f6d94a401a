"""SendCloud's form: the reference's worked example, each event's fields, and codes for every reason."""

import datetime as dt
import json
import re
from urllib.parse import parse_qs
from uuid import UUID

import pytest

from domain.sendcloud import message_id, task_id
from domain.sending import Reason
from domain.webhook_forms import About, app_key, echoed, form_of, new_token, signature, signed_form, sub_state
from domain.webhooks import Event, Format, message_data, new_secret

SUBMISSION = UUID("0192f3a4-5b6c-7d8e-9f01-23456789abcd")
AT = dt.datetime(2026, 11, 23, 6, tzinfo=dt.UTC)
ABOUT = About("shop", headers={"SC-Custom-Order": "订单7"})
COMMON = {
    "event", "message", "apiUser", "category", "maillistTaskId", "mail_list_task_id", "labelId", "labelName",
    "userHeaders", "timestamp",
}  # fmt: skip
ONE = {"emailId", "recipient"}
VISIT = {"ip", "explorerName", "explorerVer", "oSName", "oSVer"}
FIELDS = {
    Event.REQUEST: {"messageId", "recipientArray", "emailIds", "recipientSize"},
    Event.DELIVER: ONE,
    Event.OPEN: ONE | VISIT,
    Event.CLICK: ONE | VISIT | {"url"},
    Event.UNSUBSCRIBE: ONE | VISIT,
    Event.REPORT_SPAM: ONE,
    Event.INVALID: ONE | {"subStat", "subStatDesc"},
    Event.SOFT_BOUNCE: ONE | {"subStat", "subStatDesc", "cause"},
}


def data(**more: object) -> dict[str, object]:
    return message_data(SUBMISSION, 7, 2, "张@x.example", "autumn") | more


def test_the_worked_example_of_the_reference() -> None:
    token = "iSXtPWbCNO5qiBrLhTRX48dbRujd3t0lL8RLg7ocJbhiDh6WxJ"
    signed = signature("test_appkey", 1426571113188, token)
    assert signed == "fbde4533b27a16c53d8e25b38c28f7edc245e7c776f9a6e99e3f7fe5a8c2a8be"


@pytest.mark.parametrize(("event", "fields"), FIELDS.items())
def test_each_event_has_its_fields(event: Event, fields: set[str]) -> None:
    form = form_of(event.value, AT, data(url="https://a.example/?a=1&b=2", reply="550 no", **{"class": "x"}), ABOUT)
    assert set(form) == COMMON | fields
    assert form["timestamp"] == "1795413600000"
    assert (form["apiUser"], form["category"], form["labelName"], form["labelId"]) == ("shop", "shop", "autumn", "0")
    assert json.loads(form["userHeaders"]) == {"SC-Custom-Order": "订单7"}


def test_identifiers_are_those_that_the_api_answered() -> None:
    request = form_of("request", AT, data(), ABOUT)
    name = message_id(SUBMISSION)
    assert (request["messageId"], request["recipientSize"]) == (name, "1")
    assert json.loads(request["recipientArray"]) == ["张@x.example"]
    assert json.loads(request["emailIds"]) == [f"{name}2$张@x.example"]
    assert form_of("deliver", AT, data(), ABOUT)["emailId"] == f"{name}2$张@x.example"


def test_a_campaign_has_a_task() -> None:
    single, campaign = (form_of("deliver", AT, data(), About(is_campaign=yes)) for yes in (False, True))
    assert (single["maillistTaskId"], single["mail_list_task_id"]) == ("", "")
    assert campaign["maillistTaskId"] == campaign["mail_list_task_id"] == str(task_id(SUBMISSION))


def test_the_body_is_a_form_that_its_receiver_can_check() -> None:
    key, token = app_key(), new_token()
    fields = form_of("click", AT, data(url="https://a.example/?q=中&b=2"), ABOUT)
    read = {name: values[0] for name, values in parse_qs(signed_form(fields, key, token).decode(), True).items()}
    assert read.pop("signature") == signature(key, int(read["timestamp"]), read["token"])
    assert read.pop("token") == token
    assert read == fields
    assert re.fullmatch(r"[A-Za-z0-9]{50}", token)
    assert re.fullmatch(r"[A-Za-z0-9]{32}", key)
    assert re.fullmatch(r"[A-Za-z0-9]{32}", new_secret(Format.SENDCLOUD))


@pytest.mark.parametrize("reason", [*Reason, "", "of.tomorrow"])
def test_every_reason_has_a_code_of_the_reference(reason: str) -> None:
    assert sub_state("invalid", reason)[0] in range(401, 410)
    assert sub_state("soft_bounce", reason)[0] in {503, 505, 506, 507, 508, 509}


@pytest.mark.parametrize(
    ("reason", "hard", "soft"),
    [
        (Reason.INVALID_MAILBOX, 406, 506), (Reason.CONN, 403, 503), (Reason.CONTENT, 407, 507), (Reason.IP, 405, 505),
        (Reason.FULL, 408, 508), (Reason.SMTPUTF8, 404, 509), (Reason.OTHER, 409, 509),
    ],
)  # fmt: skip
def test_what_the_codes_are(reason: Reason, hard: int, soft: int) -> None:
    assert (sub_state("invalid", reason)[0], sub_state("soft_bounce", reason)[0]) == (hard, soft)


def test_only_what_its_sender_marked_comes_back() -> None:
    assert echoed({"SC-Custom-A": "1", "sc-custom-b": "2", "References": "<x>"}) == {
        "SC-Custom-A": "1", "sc-custom-b": "2",
    }  # fmt: skip


def test_a_test_event_and_a_route_are_forms_too() -> None:
    ping = form_of("ping", AT, {"webhook": "x"}, About())
    assert ping == {"event": "ping", "message": "ping", "timestamp": "1795413600000"}
    route = form_of("route", AT, {"from": "a@x", "headers": {"A": "1"}}, About())
    assert (route["from"], route["headers"], route["message"]) == ("a@x", '{"A": "1"}', "mx route")
