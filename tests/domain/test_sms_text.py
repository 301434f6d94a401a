"""Texts: put together, cut into parts, counted; bad values."""

import pytest
import smsutil
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refusal
from domain.sms import Market
from domain.sms_text import (
    bare_name,
    check_length,
    check_values,
    compose,
    fill,
    halves_joined,
    halves_kept,
    is_gsm,
    longest,
    parts,
    segments,
    variables_in,
)

ALPHABETS = (
    st.characters(codec="utf-8"),
    st.sampled_from("😀👨‍👩‍👧🇨🇳𠮷你a "),
    st.sampled_from("abc€[]{}~^|\\@£ \n"),
)
texts = st.one_of(*(st.text(alphabet, max_size=300) for alphabet in ALPHABETS))


@given(texts)
def test_what_is_counted_is_what_is_sent(text: str) -> None:
    cut = parts(text)
    assert "".join(cut) == text
    assert segments(text) == len(cut)
    encoding = "gsm0338" if is_gsm(text) else "utf-16-be"
    sizes = [len(part.encode(encoding)) for part in cut]
    single, each = (160, 153) if is_gsm(text) else (140, 134)
    assert sizes[0] <= single if len(cut) == 1 else all(size <= each for size in sizes)
    # No more parts than it takes: what begins a part would not have fitted the one before.
    assert all(size + len(after[0].encode(encoding)) > each for size, after in zip(sizes, cut[1:], strict=False))


@pytest.mark.parametrize("before", range(60, 72))
def test_no_emoji_is_cut(before: int) -> None:
    text = "字" * before + "😀" * 8
    assert all(part.encode("utf-16-be").decode("utf-16-be") == part for part in parts(text))
    assert parts(text) == tuple(part.content for part in smsutil.split(text).parts)


@given(texts.filter(lambda text: not any("\U0010d800" <= sign <= "\U0010dfff" for sign in text)), st.integers(1, 9))
def test_whatever_is_cut_in_two_is_whole_again(text: str, units: int) -> None:
    octets = text.encode("utf-16-be")
    kept = [halves_kept(octets[at : at + 2 * units]) for at in range(0, len(octets), 2 * units)]
    for part in kept:
        part.encode()  # as a database takes it
    assert halves_joined("".join(kept)) == text


def test_half_an_emoji_alone_is_shown_as_such() -> None:
    first, other = halves_kept(b"\xd8\x3d"), halves_kept(b"\xde\x00\0")
    assert halves_joined(f"a{first}…{other}b") == "a\ufffd…\ufffdb"
    assert halves_joined(first + other) == "😀"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2),
        ("你" * 70, 1), ("你" * 71, 2), ("你" * 134, 2), ("你" * 135, 3), ("😀" * 35, 1), ("😀" * 36, 2),
        ("😀" * 66, 2),
        ("😀" * 67, 3), ("a" * 69 + "你", 1), ("a" * 70 + "你", 2),
    ],
)  # fmt: skip
def test_segments(text: str, count: int) -> None:
    assert segments(text) == count


def test_a_text_is_put_together() -> None:
    assert compose("送达", "您好%name%") == compose("【送达】", "您好%name%") == "【送达】您好%name%"
    assert compose("送达", "a\r\nb\x1b", signature_last=True) == "a\nb【送达】"
    assert fill(compose("送达", "您好%name%，%other%"), {"name": "%other%"}) == "【送达】您好%other%，%other%"
    assert compose("Songda", "Hi %name%", market=Market.INTERNATIONAL) == "[Songda] Hi %name%"
    assert compose("Songda", "Hi", signature_last=True, market=Market.INTERNATIONAL) == "Hi [Songda]"
    assert is_gsm(compose("Songda", "Hi", market=Market.INTERNATIONAL)) and not is_gsm(compose("Songda", "Hi"))
    assert variables_in("%a% 50%的人 %b-1%%a% 100%-20% %a b%") == ("a", "b-1")
    assert fill("%a%%a%", {"a": "x"}) == "xx"
    assert longest("你%a%%b%", {"a": 4}) == 1 + 4 + 32


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(max_size=40)), st.booleans())
def test_values_are_taken_or_refused(values: dict[str, str], percent: bool) -> None:
    given_as = {f"%{name}%" if percent else name: value for name, value in values.items()}
    try:
        used = check_values(("a", "b"), given_as)
    except Refusal as refusal:
        assert refusal.field == "variables"
        bad = [values[name] for name in ("a", "b") if name in values and not fine(values[name])]
        assert bad or {"a", "b"} - set(values)
    else:
        assert used == {name: values[name] for name in ("a", "b")}
        assert all(fine(value) for value in used.values())


def fine(value: str) -> bool:
    return len(value) <= 32 and all(sign.isprintable() or sign >= "\xa0" for sign in value) and "http:" not in value


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("x" * 33, "sms_value_too_long"), ("http://a.cn", "sms_value_link"), ("HTTPS ：//a", "sms_value_link"),
        ("www.a.cn", "sms_value_link"), ("a\nb", "sms_value_control"), ("\ud800", "sms_value_control"),
        ("a\x1b", "sms_value_control"), ("\0", "sms_value_control"), ("a\u2028b", "sms_value_control"),
    ],
)  # fmt: skip
def test_bad_values(value: str, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_values(("a",), {"a": value})
    assert caught.value.code == code
    assert check_values((), {"a": value}) == {}


def test_names_and_length() -> None:
    assert [bare_name(name) for name in ("%a%", "a", "%", "%%", "%a", "")] == ["a", "a", "%", "%%", "%a", ""]
    check_length("字" * 500)
    with pytest.raises(Refusal, match="sms_too_long"):
        check_length("字" * 501)
