"""SendCloud's names and signatures (reference §2, §7.1)."""

import datetime as dt
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import new_id
from domain.sendcloud_signing import has_form, is_signed, is_timely, sign
from domain.sendcloud_sms import SmsName, read_sms_id, sms_id

KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CALL = {"smsUser": "testuser", "templateId": "1", "msgType": "0", "phone": "13800138000", "vars": '{"%code%":"123456"}'}
MD5 = "a7a8372e136191bb29b4fa5f8b7bf633"
SHA256 = "07f5ec4dd6aabaaf1e190baa3998124f378ebdcc946d3274cf6afd33a0c5fbce"
NOW = dt.datetime(2026, 12, 1, 4, 0, tzinfo=dt.UTC)


def test_the_worked_example() -> None:
    assert sign(KEY, CALL) == MD5
    assert sign(KEY, CALL, "sha256") == SHA256
    for signature in (MD5, SHA256, MD5.upper(), SHA256.upper()):
        assert is_signed(signature, ("other", KEY), CALL | {"signature": signature, "smsKey": "x"})
        assert not is_signed(signature, ("other",), CALL)
        assert not is_signed(signature, (), CALL)
        assert not is_signed(signature, (KEY,), CALL | {"phone": "13900139000"})


def test_a_key_that_is_sent_along_may_be_signed_too() -> None:
    """The oldest samples do so; what they send is no proof of itself."""
    call = CALL | {"smsKey": KEY}
    assert is_signed(sign(KEY, call), (KEY,), call)
    assert is_signed(MD5, (KEY,), call)
    assert not is_signed(sign("other", call | {"smsKey": "other"}), (KEY,), call | {"smsKey": "other"})


@given(st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=20), max_size=6), st.text(max_size=70))
def test_nothing_but_the_signature_is_one(given_: dict[str, str], said: str) -> None:
    right = sign(KEY, {name: value for name, value in given_.items() if name not in ("signature", "smsKey")})
    assert is_signed(right, (KEY,), given_)
    assert is_signed(said, (KEY,), given_) is False or said.lower() == right
    assert has_form(said) is False or len(said) in (32, 64)


@pytest.mark.parametrize(
    ("said", "timely"),
    [
        ("1796097600000", True), ("1796097600", True), ("1796097660000", True), ("1796097661000", False),
        ("1796097540", True), ("1796097539", False), ("", False), ("0", False), ("-1", False), ("x", False),
        ("１７９６０９７６００", False), ("1" * 30, False), ("1796097600.5", False),
    ],
)  # fmt: skip
def test_timestamps(said: str, timely: bool) -> None:
    assert is_timely(said, dt.datetime.fromtimestamp(1796097600, dt.UTC)) is timely


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**122 - 1))
def test_names_say_which_message_it_is(ordinal: int, chance: int) -> None:
    at, some, low = chance >> 74, chance >> 62 & 0xFFF, chance & (1 << 62) - 1
    submission = UUID(int=at << 80 | 7 << 76 | some << 64 | 2 << 62 | low)
    name = sms_id(submission, ordinal, "+8613100000000")
    assert read_sms_id(name) == SmsName(submission, ordinal, "+8613100000000")
    assert name.endswith("$13100000000")
    assert len(name.partition("$")[0].split("_")) == 5


@pytest.mark.parametrize(
    "name", ["", "x", "1458113381893_15_3_11_1ainnq", "9999999999999999_1_1_1_000000$13100000000",
             "1_9999_1_1_000000$13100000000",
             "1_1_9999999999_1_000000$13100000000", "1_1_1_1_zzzzzz$13100000000",
             "1_1_1_1_000000$131\n", "１_1_1_1_000000$13100000000"],
)  # fmt: skip
def test_what_is_none_of_ours(name: str) -> None:
    assert read_sms_id(name) is None


def test_abroad() -> None:
    submission = new_id()
    name = sms_id(submission, 0, "+447400123456")
    assert name.endswith("_000000$+447400123456")
    assert read_sms_id(name) == SmsName(submission, 0, "+447400123456")
