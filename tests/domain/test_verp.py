"""Return paths and Message-IDs: read back in any case, made by nobody but us."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.verp import MAX_MESSAGE, Use, hidden, make_token, read_message_id, read_return_path, read_token, return_path

KEY, OTHER = b"k" * 32, b"o" * 32
MESSAGES = st.integers(min_value=1, max_value=MAX_MESSAGE)
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


@given(MESSAGES)
def test_what_was_made_is_read_in_any_case(message: int) -> None:
    address = return_path(make_token(KEY, message), "bounce.shop.example")
    assert len(address.partition("@")[0]) <= 64
    for way in (address, address.upper(), address.swapcase()):
        assert read_return_path(KEY, way) == message
    assert read_message_id(KEY, f"<0192f0.17.{make_token(KEY, message, Use.MESSAGE_ID)}@shop.example>") == message
    assert read_return_path(OTHER, address) is None


@given(MESSAGES, st.integers(0, 25), st.sampled_from(LETTERS))
def test_one_other_letter_is_another_token(message: int, place: int, letter: str) -> None:
    token = make_token(KEY, message)
    changed = token[:place] + letter + token[place + 1 :]
    assert (read_token(KEY, changed) is None) == (changed != token)


@given(MESSAGES)
def test_a_message_id_makes_no_return_path(message: int) -> None:
    """Whoever gets an answer to a mail has seen its Message-ID; its return path stays with its receiver."""
    shown = make_token(KEY, message, Use.MESSAGE_ID)
    assert read_return_path(KEY, return_path(shown, "bounce.shop.example")) is None
    assert read_message_id(KEY, f"<0192f0.17.{make_token(KEY, message)}@shop.example>") is None


@given(MESSAGES, st.sampled_from(["<b+{}@bounce.test>", "b=2B{}=bounce.test@mx.test", "SRS0=x=b+{}", "<1.{}@a.test>"]))
def test_words_of_others_are_shown_without_tokens(message: int, written: str) -> None:
    token = make_token(KEY, message)
    for form in (token, token.upper()):
        said = hidden(f"550 5.7.1 sender {written.format(form)} rejected")
        assert form not in said and said.startswith("550 5.7.1 sender ") and said.endswith(" rejected")
    assert hidden("550 5.1.1 <li.lei@qq.com>: user unknown in virtual mailbox table") == (
        "550 5.1.1 <li.lei@qq.com>: user unknown in virtual mailbox table"
    )


def test_two_tokens_make_no_third() -> None:
    """The id of one mail and the MAC of another, as somebody who has both would try."""
    one, two = make_token(KEY, 1 << 40), make_token(KEY, 2 << 40)
    assert read_token(KEY, one[:13] + two[13:]) is None


@pytest.mark.parametrize("token", ["", "b", "a" * 26, "1" * 26, "a" * 25, "é" * 26, "a" * 25 + "=", "7" * 26])
def test_what_we_did_not_make_is_nobody(token: str) -> None:
    assert read_token(KEY, token) is None
    assert read_return_path(KEY, f"b+{token}@bounce.test") is None
    assert read_message_id(KEY, f"<a.{token}@bounce.test>") is None


@pytest.mark.parametrize(
    "address", ["b+{}", "b+{}@", "x+{}@bounce.test", "b+{}.@bounce.test", "b+{}x@bounce.test", '"b+{}"@bounce.test']
)
def test_other_local_parts_are_nobody(address: str) -> None:
    assert read_return_path(KEY, address.format(make_token(KEY, 1))) is None


def test_without_a_key_nothing_is_made() -> None:
    """An unkeyed hash would be anybody's to compute."""
    with pytest.raises(ValueError, match="need a key"):
        make_token(b"", 1)
