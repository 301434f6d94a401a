"""Numbers in every written form, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refusal
from domain.sms import Market
from domain.sms_numbers import Phone, national, read_phone

WAYS = (
    "{0}{1}{2}", "{0} {1} {2}", "{0}-{1}-{2}", "+86{0}{1}{2}", "+86 {0} {1} {2}", "0086{0}{1}{2}", "86{0}{1}{2}",
    "(+86) {0}-{1}-{2}", "（0086）{0}{1}{2}", "tel:+86-{0}-{1}-{2}", "\u202d{0}{1}{2}\u202c", "\ufeff{0}\xa0{1}\xa0{2}",
    "{0}–{1}–{2}", "  {0}.{1}.{2}\n", "＋86 {0} {1} {2}", "TEL: {0}{1}{2}",
)  # fmt: skip
digits = st.integers(0, 9999).map("{:04d}".format)
prefixes = st.sampled_from(["130", "138", "150", "162", "170", "186", "192", "199"])


@given(prefixes, digits, digits, st.sampled_from(WAYS), st.booleans())
def test_a_mobile_number_in_any_form(prefix: str, middle: str, end: str, way: str, full_width: bool) -> None:
    written = way.format(prefix, middle, end)
    if full_width:
        written = written.translate({ord(str(n)): ord("０") + n for n in range(10)})
    assert read_phone(written) == Phone(f"+86{prefix}{middle}{end}", "CN")
    assert national(f"+86{prefix}{middle}{end}") == f"{prefix}{middle}{end}"


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("", "phone_empty"), (" \u200b", "phone_empty"), ("abc", "phone_invalid"), ("1380013800", "phone_invalid"),
        ("138001380001", "phone_invalid"), ("14912345678", "phone_invalid"), ("12345678901", "phone_invalid"),
        ("10086", "phone_invalid"), ("1380013800a", "phone_invalid"), ("13800138000 ext 5", "phone_invalid"),
        ("13800138000,13900139000", "phone_invalid"), ("13800138000/13900139000", "phone_invalid"),
        ("13800138000 13900139000", "phone_invalid"), ("1" * 10_000, "phone_invalid"), ("+", "phone_invalid"),
        ("1380013\x008000", "phone_invalid"), ("\ud800", "phone_invalid"), ("+999 123 456 789", "phone_invalid"),
        ("010-62345678", "phone_landline"), ("+86 21 6234 5678", "phone_landline"), ("4008001234", "phone_landline"),
        ("+44 20 7946 0958", "phone_not_mobile"), ("+882 16 1234567", "phone_not_mobile"),
        ("+44 909 879 1234", "phone_not_mobile"), ("447400123456", "phone_invalid"),
    ],
)  # fmt: skip
def test_what_gets_no_sms(written: str, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_phone(written)
    assert (caught.value.code, caught.value.field) == (code, "phone")


@pytest.mark.parametrize(
    ("written", "e164", "country"),
    [
        ("+44 7400 123456", "+447400123456", "GB"), ("0044 7400 123456", "+447400123456", "GB"),
        ("+1 202-555-0123", "+12025550123", "US"), ("+852 6123 4567", "+85261234567", "HK"),
        ("+853 6612 3456", "+85366123456", "MO"), ("+886 912 345 678", "+886912345678", "TW"),
    ],
)  # fmt: skip
def test_other_countries(written: str, e164: str, country: str) -> None:
    phone = read_phone(written)
    assert (phone, phone.is_domestic, phone.market) == (Phone(e164, country), False, Market.INTERNATIONAL)
    assert national(e164) == e164


def test_bare_digits_are_abroad_only_when_that_is_said() -> None:
    assert read_phone("447400123456", Market.INTERNATIONAL).country == "GB"
    assert read_phone("13800138000", Market.INTERNATIONAL).country == "CN"
    for market in (None, Market.DOMESTIC):
        with pytest.raises(Refusal):
            read_phone("447400123456", market)


@given(st.text(max_size=60))
def test_whatever_is_written_is_a_number_or_refused(written: str) -> None:
    try:
        phone = read_phone(written)
    except Refusal as refusal:
        assert refusal.code.startswith("phone_")
    else:
        assert read_phone(phone.e164) == phone
