"""A peer's words become fit to be stored, and the enhanced code in them is found."""

import pytest

from domain.outcomes import bounded, enhanced_code, legible


def test_what_is_kept_is_one_bounded_line() -> None:
    kept = bounded("5.1.1 " + "x" * 1000 + "\0\r\n  y")
    assert len(kept) == 500 and "\0" not in kept and "\n" not in kept
    assert bounded(" a\r\n\tb ") == "a b"


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        ("550 用户不存在".encode("gb18030"), "550 用户不存在"),
        ("550 用户不存在".encode(), "550 用户不存在"),
        (b"550 caf\xff", "550 caf\ufffd"),
    ],
)
def test_replies_in_any_encoding_can_be_read_and_stored(reply: bytes, shown: str) -> None:
    """As SMTP clients hand them on; a lone surrogate that reached the database would stop the group commit for good."""
    assert legible(reply.decode("utf-8", "surrogateescape")) == shown
    assert bounded("a\ud800b").encode() == b"a?b"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("5.1.1 no such user", "5.1.1"),
        ("Sorry (#5.1.1)", "5.1.1"),
        ("smtp; 4.7.28 slow down 5.1.1", "4.7.28"),
        ("blocked: 5.1.10.20", ""),
        ("blocked: 10.5.1.1", ""),
        ("running v4.5.3", ""),
        ("exim 4.94.2 here", ""),
        ("5.1.1234", ""),
        ("2.0.0 fine", ""),
        ("", ""),
    ],
)
def test_an_enhanced_code_is_no_address_and_no_version(text: str, code: str) -> None:
    assert enhanced_code(text) == code
