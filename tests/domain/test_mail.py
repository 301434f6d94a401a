"""Header fields and bodies as bytes: folded, encoded, and closed against whatever a value holds."""

import base64
import email.header
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.mail import base64_lines, canonical, field, mailbox, on_the_wire, unstructured, uri
from domain.variables import one_line
from tests.domain.test_templates import NASTY

TEXTS = st.text(max_size=300) | NASTY | st.text(alphabet="ab =?\t\r\n", max_size=300)


def decoded(value: str) -> str:
    """What a reader shows: unfolded, encoded words decoded."""
    return str(email.header.make_header(email.header.decode_header(value.replace("\r\n ", " "))))


@given(text=TEXTS)
def test_any_subject_is_one_field_of_short_lines_that_reads_back(text: str) -> None:
    raw = field("Subject", unstructured(text, "Subject"))
    lines = raw.split(b"\r\n")
    assert lines.pop() == b"" and lines[0].startswith(b"Subject:")
    assert all(line.startswith(b" ") and line.strip() for line in lines[1:])
    assert all(len(line) <= 78 for line in lines)
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    shown = decoded(raw.decode().removeprefix("Subject:").removesuffix("\r\n").strip())
    assert shown == one_line(text).encode(errors="replace").decode()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Your order", "Your order"),
        ("a" * 69, "a" * 69),
        ("word " * 20 + "end", "word " * 13 + "word\r\n " + "word " * 6 + "end"),
        ("你好", "=?utf-8?b?5L2g5aW9?="),
        ("=?utf-8?b?5L2g5aW9?=", "=?utf-8?b?PT91dGYtOD9iPzVMMmc1YVc5Pz0=?="),
    ],
)
def test_a_subject_is_written_plainly_where_it_can_be(text: str, value: str) -> None:
    assert unstructured(text, "Subject") == value


def test_encoded_words_hold_whole_characters_and_at_most_75_octets() -> None:
    words = unstructured("你a好😀" * 60, "Subject").split("\r\n ")
    assert len(words) > 3 and all(len(word) <= 75 for word in words)
    for word in words:
        base64.b64decode(word.removeprefix("=?utf-8?b?").removesuffix("?=")).decode()


@given(name=TEXTS)
def test_any_sender_name_leaves_one_address(name: str) -> None:
    raw = field("From", mailbox(name, "news@customer.example"))
    assert raw.count(b"\r\n") == raw.count(b"\r\n ") + 1 and raw.endswith(b"\r\n")
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    parsed = email.message_from_bytes(raw + b"\r\n", policy=email.policy.default)["From"]
    assert [address.addr_spec for address in parsed.addresses] == ["news@customer.example"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "n@c.example"),
        ("Shop", "Shop <n@c.example>"),
        ('Mr. "X"', '"Mr. \\"X\\"" <n@c.example>'),
        ("送达", "=?utf-8?b?6YCB6L6+?= <n@c.example>"),
        ("a\r\nBcc: v@x.test", '"a Bcc: v@x.test" <n@c.example>'),
    ],
)
def test_names_are_quoted_or_encoded(name: str, value: str) -> None:
    assert mailbox(name, "n@c.example") == value


@pytest.mark.parametrize(
    "address",
    ["a@x.test\r\nBcc: v@x.test", "a b@x.test", "a@x.test,b@x.test", "<a@x.test>", "a", "@x.test", "a@", "a\x00@x"],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        on_the_wire(address)


def test_domains_are_a_labels_on_the_wire() -> None:
    assert on_the_wire("news@例子.example") == "news@xn--fsqu00a.example"
    assert on_the_wire("用户@例子.example") == "用户@xn--fsqu00a.example"


def test_a_uri_is_never_broken() -> None:
    short, long = "https://t.example/x", "https://t.example/" + "x" * 200
    assert uri(short, "List-Unsubscribe") == f"<{short}>"
    assert field("List-Unsubscribe", uri(long, "List-Unsubscribe")) == f"List-Unsubscribe:\r\n <{long}>\r\n".encode()
    for bad in ("https://t.example/a b", "https://t.example/\r\n", "https://t.example/>", ""):
        with pytest.raises(ValueError, match="no URI"):
            uri(bad, "List-Unsubscribe")


@pytest.mark.parametrize("value", ["x\r\nBcc: v", "x\nBcc: v", "x\r", "x\r\n\r\n y"])
def test_a_line_break_never_makes_a_header(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        field("Subject", value)


def test_the_canonical_form_is_that_of_the_rfc() -> None:
    assert canonical(b"A: X\r\n") == b"a:X\r\n"
    assert canonical(b"B : Y\t\r\n\tZ  \r\n".replace(b" :", b":")) == b"b:Y Z\r\n"


@given(content=st.binary(max_size=400))
def test_base64_is_that_of_the_standard_library(content: bytes) -> None:
    assert base64_lines(content) == base64.encodebytes(content).replace(b"\n", b"\r\n") or not content
