"""Every refusal of a send as an SMTP reply: one line of ASCII, 4xx for what passes and 5xx for what does not."""

import re
from typing import Any

import pytest

from domain.errors import Refusal
from domain.refusals import REFUSALS
from domain.xsmtpapi import BadXsmtpapi, Fault
from smtp.replies import REPLIES, of_refusal, of_xsmtpapi

PARAMS: dict[str, Any] = {
    "name": "“x”",
    "domain": "a.test", "record": "spf", "template": "trigger", "api_user": "batch", "limit": 1, "used": 1,
    "asked": 2, "count": 2, "names": "a", "reason": "r", "needed": "1", "available": "0", "until": "2027", "seconds": 5,
    "what": "send",
}  # fmt: skip


@pytest.mark.parametrize("code", sorted(REPLIES))
def test_each_is_one_line_that_says_what_to_do(code: str) -> None:
    assert code in REFUSALS
    reply = of_refusal(Refusal(code, **PARAMS))
    assert re.fullmatch(r"[45]\d\d [ -~]{10,}", reply.translate({ord("“"): '"'})), reply
    assert reply.startswith(REPLIES[code])


@pytest.mark.parametrize("code", ["quota_exceeded", "test_quota_exceeded"])
def test_what_passes_by_itself_is_tried_again(code: str) -> None:
    assert of_refusal(Refusal(code, **PARAMS))[:1] == "4"


def test_what_nobody_thought_of_does_not_come_again() -> None:
    assert of_refusal(Refusal("variables_missing", field="recipients[0].variables", **PARAMS))[:9] == "554 5.6.0"
    assert of_refusal(Refusal("address_domain", field="recipients[0].address"))[:9] == "553 5.1.3"


@pytest.mark.parametrize("fault", Fault)
def test_faults_of_xsmtpapi_are_in_sendclouds_words(fault: Fault) -> None:
    reply = of_xsmtpapi(BadXsmtpapi(fault, "a\r\nb", ("坏", "bad")))
    assert reply.startswith("553 xsmtpapi error")
    assert reply.isprintable() and reply.isascii()
