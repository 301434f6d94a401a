"""Which addresses are accepted, in which written form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.addresses import REASONS, BadAddress, domain_of, needs_smtputf8, normalise_address, normalise_domain
from domain.refusals import REFUSALS

LONG_LABELS = ".".join(["a" * 63] * 4)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("a@b.com", "a@b.com"),
        ("  A.b+c@QQ.COM\r\n", "A.b+c@qq.com"),
        ("\ufeffx@y.cn\u200b", "x@y.cn"),
        ("x@例子.中国", "x@xn--fsqu00a.xn--fiqs8s"),
        ("x@Bücher。example", "x@xn--bcher-kva.example"),
        ("用户@example.com", "用户@example.com"),
        ("o'brien!#$%&*/=?^_`{|}~-@x-y.z9.co", "o'brien!#$%&*/=?^_`{|}~-@x-y.z9.co"),
        ("x" * 64 + "@b.cc", "x" * 64 + "@b.cc"),
    ],
)
def test_written_forms(written: str, normal: str) -> None:
    assert normalise_address(written) == normal


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("", "address_empty"),
        (" \u3000", "address_empty"),
        ("nobody", "address_no_at"),
        ("a＠b.com", "address_no_at"),
        ("@b.com", "address_local_part"),
        ("a..b@c.dd", "address_local_part"),
        (".a@c.dd", "address_local_part"),
        ("a b@c.dd", "address_local_part"),
        ("a\u00a0b@c.dd", "address_local_part"),
        ('"a b"@c.dd', "address_local_part"),
        ("Ann <ann@c.dd>", "address_local_part"),
        ("a@b@c.dd", "address_local_part"),
        ("a@localhost", "address_domain"),
        ("a@b..com", "address_domain"),
        ("a@b.com.", "address_domain"),
        ("a@-b.com", "address_domain"),
        ("a@b_c.com", "address_domain"),
        ("a@[127.0.0.1]", "address_domain"),
        ("a@127.0.0.1", "address_domain"),
        ("a@" + "b" * 64 + ".com", "address_domain"),
        ("x" * 65 + "@b.cc", "address_too_long"),
        ("用" * 22 + "@b.cc", "address_too_long"),
        (f"a@{LONG_LABELS}", "address_too_long"),
        ("a" * 1_000_000, "address_too_long"),
        ("a\x00@b.cc", "address_control"),
        ("a@b.cc\r\nBcc: x@y.zz", "address_control"),
        ("\ud800@b.cc", "address_control"),
    ],
)
def test_refused(written: str, code: str) -> None:
    with pytest.raises(BadAddress) as refused:
        normalise_address(written)
    assert (refused.value.code, refused.value.field, refused.value.reason) == (code, "address", REASONS[code])


def test_every_reason_has_texts() -> None:
    assert set(REASONS) <= set(REFUSALS)


def test_flags_and_parts() -> None:
    assert needs_smtputf8("用户@example.com")
    assert not needs_smtputf8(normalise_address("x@例子.中国"))
    assert domain_of("a@b.cc") == "b.cc"
    assert normalise_domain("EXAMPLE.Com") == "example.com"


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """Whatever comes out is safe in an SMTP command and does not change when normalised again."""
    try:
        address = normalise_address(text)
    except BadAddress:
        return
    assert normalise_address(address) == address
    assert len(address.encode()) <= 254
    assert not set(address) & set("\r\n\0 <>")
