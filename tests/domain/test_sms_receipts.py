"""Receipts and texts of handsets, in every form that carriers write them."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.sending import OutcomeKind
from domain.sms_carriers import IdForm, ReplyPiece, assemble, outcome_of_status, status_name
from domain.sms_receipts import (
    MAX_ERROR,
    MAX_STATE,
    MESSAGE_PAYLOAD,
    MESSAGE_STATE,
    NETWORK_ERROR_CODE,
    RECEIPTED_MESSAGE_ID,
    SAR_NUMBER,
    SAR_REFERENCE,
    SAR_TOTAL,
    USER_MESSAGE_REFERENCE,
    Delivered,
    Segment,
    is_receipt,
    phone_of,
    read_receipt,
    read_text,
    receipt_fields,
    segment_of,
    submitted_id,
)
from domain.sms_transport import Receipt, ReceiptState

CHINA = dt.timedelta(hours=8)
USUAL = "id:{id} sub:001 dlvrd:001 submit date:2612010931 done date:2612010932 stat:{stat} err:{err} text:hello"


def came(text: str | bytes = b"", esm_class: int = 4, **more: Any) -> Delivered:
    octets = text.encode("latin-1") if isinstance(text, str) else text
    more.setdefault("data_coding", 0)
    return Delivered("8613800138000", 1, "10690", esm_class, text=octets, **more)


def read(text: str | bytes, form: IdForm = IdForm.AS_IS, **more: Any) -> Receipt:
    return read_receipt(came(text, **more), 3, form, CHINA)


def usual(id: str = "abc", stat: str = "DELIVRD", err: str = "000") -> str:  # noqa: A002 - the field's name
    return USUAL.format(id=id, stat=stat, err=err)


def test_the_form_of_appendix_b() -> None:
    receipt = read(usual())
    assert (receipt.gateway, receipt.smsc_id, receipt.phone, receipt.state) == (3, "abc", "+8613800138000", "DELIVRD")
    assert receipt.error == "" and receipt.reference is None
    assert receipt.done_at == dt.datetime(2026, 12, 1, 1, 32, tzinfo=dt.UTC), "in the gateway's clock"


@pytest.mark.parametrize("words", ["text:", "Text : ", "TEXT:"])
def test_the_words_that_a_receipt_quotes_are_not_kept(words: str) -> None:
    """Carriers quote the beginning of the message, and a code is in it."""
    receipt = read(usual().replace("text:hello", f"{words}042917 is your code"))
    assert receipt.state == "DELIVRD" and receipt.text.startswith("id:abc") and "042917" not in receipt.text
    big = usual().replace("hello", "您的验证码042917").encode("utf-16-be")
    assert "042917" not in read(big, data_coding=8).text


@pytest.mark.parametrize(
    ("text", "smsc_id", "state", "error"),
    [
        ("ID:9 STAT:undeliv ERR:MK:0001", "9", "UNDELIV", "MK:0001"),
        ("stat:REJECTD err:011 id:x-1", "x-1", "REJECTD", "err:011"),
        ("id: 77  stat: DELIVRD  err: 000", "77", "DELIVRD", ""),
        ("id:1 stat:MK:0001 err:000", "1", "MK:0001", ""),
        ("id:1 stat:MBBLACK", "1", "MBBLACK", ""),
        ("stat:EXPIRED", "", "EXPIRED", ""),
        ("id:5 stat:REJECTED err:2", "5", "REJECTD", "err:2"),
        ("id:5", "5", "UNKNOWN", ""),
        ("", "", "UNKNOWN", ""),
        ("nothing that anybody can read", "", "UNKNOWN", ""),
        ("id:\0 stat:\0DELIVRD", "", "DELIVRD", ""),
    ],
)
def test_any_case_any_order_anything_missing(text: str, smsc_id: str, state: str, error: str) -> None:
    receipt = read(text)
    assert (receipt.smsc_id, receipt.state, receipt.error) == (smsc_id, state, error)


def test_the_customers_words_are_not_fields() -> None:
    words = "id:1 stat:UNDELIV err:MK:0001 text:id:2 stat:DELIVRD err:000"
    receipt = read(words)
    assert (receipt.smsc_id, receipt.state, receipt.error) == ("1", "UNDELIV", "MK:0001")
    assert receipt_fields("text:stat:DELIVRD id:1 stat:UNDELIV")["stat"] == "UNDELIV"


def test_parameters_count_before_the_text() -> None:
    tlvs = {
        RECEIPTED_MESSAGE_ID: b"real\0",
        MESSAGE_STATE: b"\x05",
        NETWORK_ERROR_CODE: b"\x03\x00\x0b",
        USER_MESSAGE_REFERENCE: b"\x01\x02",
    }
    receipt = read("", tlvs=tlvs)
    assert (receipt.smsc_id, receipt.state, receipt.error, receipt.reference) == ("real", "UNDELIV", "err:011", 258)
    own = read("id:other stat:MK:0001", tlvs=tlvs)
    assert (own.smsc_id, own.state, own.error) == ("real", "UNDELIV", "MK:0001"), "the carrier's own code is the error"
    assert read("", tlvs={MESSAGE_PAYLOAD: usual("p").encode()}).smsc_id == "p"
    for broken in (b"", b"\0", b"\x63"):
        assert read("", tlvs={MESSAGE_STATE: broken}).state == "UNKNOWN"


def test_ids_in_two_bases() -> None:
    assert submitted_id("1A2B", IdForm.HEX_TO_DECIMAL) == "6699"
    assert read(usual("0000006699"), IdForm.HEX_TO_DECIMAL).smsc_id == "6699"
    assert read("", IdForm.HEX_TO_DECIMAL, tlvs={RECEIPTED_MESSAGE_ID: b"1A2B\0"}).smsc_id == "6699"
    both = read(usual("0000006699"), IdForm.HEX_TO_DECIMAL, tlvs={RECEIPTED_MESSAGE_ID: b"1A2B\0"})
    assert both.smsc_id == "6699"
    assert submitted_id("6699", IdForm.DECIMAL_TO_HEX) == "1a2b"
    assert read(usual("00001A2B"), IdForm.DECIMAL_TO_HEX).smsc_id == "1a2b"
    assert submitted_id("no-number", IdForm.HEX_TO_DECIMAL) == "no-number"
    assert submitted_id("-1", IdForm.HEX_TO_DECIMAL) == "-1"


@pytest.mark.parametrize(
    ("answered", "receipted", "same"),
    [
        ("6699", "0000006699", True),
        ("1A2B", "00001a2b", True),
        (" 00A1 ", "a1", True),
        ("000", "0", True),
        ("0", "", False),
        ("6699", "66990", False),
        ("AbC-01", "AbC-01", True),
        ("AbC-01", "abc-01", False),
    ],
)
def test_zeros_and_case_of_a_number_do_not_count(answered: str, receipted: str, same: bool) -> None:
    ours = submitted_id(answered, IdForm.AS_IS)
    assert (read(usual(receipted)).smsc_id == ours) is same
    assert (read("", tlvs={RECEIPTED_MESSAGE_ID: receipted.encode() + b"\0"}).smsc_id == ours) is same


@given(st.integers(1, 2**63))
def test_an_id_is_the_same_in_both(number: int) -> None:
    hexed, decimal = f"{number:X}", f"{number:012d}"
    assert submitted_id(hexed, IdForm.HEX_TO_DECIMAL) == read(usual(decimal), IdForm.HEX_TO_DECIMAL).smsc_id
    assert submitted_id(str(number), IdForm.DECIMAL_TO_HEX) == read(usual(hexed), IdForm.DECIMAL_TO_HEX).smsc_id


FIELDS = {
    "id": st.text("0123456789abcdef-", min_size=1, max_size=20),
    "sub": st.just("001"),
    "dlvrd": st.sampled_from(["000", "001"]),
    "submit date": st.just("2612010931"),
    "done date": st.sampled_from(["2612010932", "261201093200", "20261201093200"]),
    "stat": st.sampled_from([state.value for state in ReceiptState]),
    "err": st.sampled_from(["000", "011", "MK:0001"]),
}


@given(st.fixed_dictionaries(FIELDS), st.permutations(list(FIELDS)), st.booleans(), st.sampled_from([" ", "  ", "\n"]))
def test_fields_in_any_order_are_all_read(fields: dict[str, str], order: list[str], upper: bool, gap: str) -> None:
    text = gap.join(f"{name.upper() if upper else name}:{fields[name]}" for name in order)
    receipt = read(text)
    assert (receipt.smsc_id, receipt.state) == (submitted_id(fields["id"], IdForm.AS_IS), fields["stat"])
    assert receipt.error == {"000": "", "011": "err:011"}.get(fields["err"], fields["err"])
    assert receipt.done_at == dt.datetime(2026, 12, 1, 1, 32, tzinfo=dt.UTC)


OCTETS = st.binary(max_size=300)


@given(
    OCTETS,
    st.integers(0, 255),
    st.integers(0, 255),
    st.dictionaries(
        st.sampled_from([0x204, 0x1E, 0x423, 0x424, 0x427, 0x20C, 0x20E, 0x20F]), st.binary(max_size=70), max_size=8
    ),
    st.sampled_from(IdForm),
)
def test_whatever_comes_is_read_somehow(
    octets: bytes, esm_class: int, coding: int, tlvs: dict[int, bytes], form: IdForm
) -> None:
    delivered = came(octets, esm_class, data_coding=coding, tlvs=tlvs)
    is_receipt(delivered)
    receipt = read_receipt(delivered, 1, form, CHINA)
    assert 0 < len(receipt.state) <= MAX_STATE and len(receipt.error) <= MAX_ERROR + 4 and len(receipt.smsc_id) <= 80
    for text in (receipt.state, receipt.error, receipt.smsc_id, receipt.text, receipt.phone):
        assert "\0" not in text
        text.encode()
    segment, body = segment_of(delivered)
    assert segment is None or 1 <= segment.number <= segment.total <= 255
    words = read_text(body, coding)
    assert "\0" not in words
    words.encode()


@pytest.mark.parametrize("done", ["2613010931", "0000000000", "26120109", "９９12010931", "99999999999999", "x"])
def test_impossible_times_are_none(done: str) -> None:
    assert read(f"id:1 stat:DELIVRD done date:{done}".encode()).done_at is None


def test_what_is_a_receipt() -> None:
    assert is_receipt(came("anything", 0x04))
    assert is_receipt(came("anything", 0x20)), "an intermediate notification"
    assert is_receipt(came("", 0, tlvs={RECEIPTED_MESSAGE_ID: b"1\0"}))
    assert is_receipt(came(usual(), 0)), "carriers that forget the class"
    assert not is_receipt(came("TD", 0))
    assert not is_receipt(came("id:1 stat:DELIVRD", 0)), "too little to be believed"
    assert not is_receipt(came(usual(), 0x10)), "a person's acknowledgement"


@pytest.mark.parametrize(
    ("written", "ton", "phone"),
    [
        ("8613800138000", 1, "+8613800138000"),
        ("+8613800138000", 0, "+8613800138000"),
        ("13800138000", 0, "+8613800138000"),
        ("13800138000", 2, "+8613800138000"),
        ("8613800138000", 0, "+8613800138000"),
        ("008613800138000", 0, "+8613800138000"),
        ("447400123456", 1, "+447400123456"),
        ("447400123456", 0, "447400123456"),
        ("10086", 0, "10086"),
        ("BANK", 5, "BANK"),
        ("", 0, ""),
    ],
)
def test_numbers_of_handsets(written: str, ton: int, phone: str) -> None:
    assert phone_of(written, ton) == phone


@pytest.mark.parametrize(
    ("octets", "coding", "text"),
    [
        ("退订".encode("utf-16-be"), 8, "退订"),
        ("😀".encode("utf-16-be"), 8, "😀"),
        ("退订".encode("gb18030"), 15, "退订"),
        ("café".encode("latin-1"), 3, "café"),
        (b"\x00 \x1b\x65", 0, "@ €"),
        (b"TD", 0, "TD"),
        ("退".encode(), 0, "退"),
        (b"\x90\x00\x8b", 8, "退�"),
        (b"", 8, ""),
    ],
)
def test_texts_of_handsets(octets: bytes, coding: int, text: str) -> None:
    assert read_text(octets, coding) == text


def test_where_a_part_belongs() -> None:
    header = b"\x05\x00\x03\x07\x03\x02"
    assert segment_of(came(header + b"hi", 0x40)) == (Segment(7, 3, 2), b"hi")
    assert segment_of(came(b"\x06\x08\x04\x01\x02\x03\x01hi", 0x40)) == (Segment(258, 3, 1), b"hi")
    assert segment_of(came(header + b"hi", 0)) == (None, header + b"hi"), "the class does not say so"
    assert segment_of(came(b"\xffhi", 0x40)) == (None, b"\xffhi")
    assert segment_of(came(b"\x05\x00\x03\x07\x03\x04hi", 0x40)) == (None, b"hi"), "the fourth of three"
    sar = {SAR_REFERENCE: b"\x00\x09", SAR_TOTAL: b"\x02", SAR_NUMBER: b"\x01"}
    assert segment_of(came(b"hi", 0, tlvs=sar)) == (Segment(9, 2, 1), b"hi")
    assert segment_of(came(b"hi", 0, tlvs=sar | {SAR_NUMBER: b"\x00"}))[0] is None
    assert segment_of(came(b"hi", 0, tlvs=sar | {SAR_TOTAL: b"\xff\xff"}))[0] is None, "no text has so many parts"


def test_long_texts_are_put_together_with_gaps_shown() -> None:
    at = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    pieces = [ReplyPiece(1, "+861", "10690", 7, index, 5, text, at) for index, text in ((4, "d"), (1, "a"), (2, "b"))]
    assert assemble(pieces).reply.content == "ab…d…"
    assert len({piece.key for piece in pieces}) == 1


def test_what_carriers_answer() -> None:
    assert outcome_of_status(0x58).kind is outcome_of_status(0x14).kind is OutcomeKind.DEFERRED
    assert outcome_of_status(0x0B).kind is OutcomeKind.BOUNCED and outcome_of_status(0x0B).text == "ESME_RINVDSTADR"
    assert outcome_of_status(0x08).kind is outcome_of_status(0x401).kind is OutcomeKind.DEFERRED, "no credit, perhaps"
    assert status_name(0x401) == "0x00000401"
