"""Tokens in the links of mails: only what we made is read."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import link_tokens
from domain.link_tokens import MAX_LINK, MAX_MESSAGE, LinkKind, LinkToken, link_url, make_token, read_token
from domain.secrets import Vault
from settings import Settings

KEY = Vault("k" * 32).link_key
TOKEN = make_token(KEY, LinkKind.CLICK, 4711, 3)

tokens = st.builds(LinkToken, st.sampled_from(LinkKind), st.integers(0, MAX_MESSAGE), st.integers(0, MAX_LINK))


@given(tokens)
def test_what_is_said_is_read(said: LinkToken) -> None:
    token = make_token(KEY, said.kind, said.message_id, said.link)
    assert read_token(KEY, token) == said
    assert len(token) == 28
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(tokens, st.integers(0, 167))
def test_one_changed_bit_makes_it_nothing(said: LinkToken, bit: int) -> None:
    whole = int.from_bytes(base64.urlsafe_b64decode(make_token(KEY, said.kind, said.message_id, said.link)), "big")
    forged = base64.urlsafe_b64encode((whole ^ (1 << bit)).to_bytes(21, "big")).decode()
    assert read_token(KEY, forged) is None


@given(st.text(max_size=40) | st.text("AZaz09-_+/=\n ", min_size=26, max_size=30))
def test_whatever_is_not_ours_is_none(text: str) -> None:
    assert read_token(KEY, text) is None


@pytest.mark.parametrize(
    "text",
    ["", TOKEN[:-1], TOKEN + "A", TOKEN + "\n", TOKEN + "=", " " + TOKEN, TOKEN[:-1] + "\u0100", TOKEN[:-1] + "\x00"],
)
def test_a_token_has_one_spelling(text: str) -> None:
    assert read_token(KEY, text) is None


def test_another_installation_reads_nothing() -> None:
    assert read_token(Vault("j" * 32).link_key, TOKEN) is None


def test_the_mac_is_truncated_and_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def watched(given: bytes, right: bytes) -> bool:
        compared.append((len(given), len(right)))
        return False

    monkeypatch.setattr(link_tokens.hmac, "compare_digest", watched)
    assert read_token(KEY, TOKEN) is None
    assert compared == [(10, 10)]


@pytest.mark.parametrize(("message", "link"), [(-1, 0), (MAX_MESSAGE + 1, 0), (1, -1), (1, MAX_LINK + 1)])
def test_no_token_for_what_no_row_can_be(message: int, link: int) -> None:
    with pytest.raises(ValueError, match="no such"):
        make_token(KEY, LinkKind.CLICK, message, link)


def test_each_kind_has_its_path() -> None:
    assert {link_url("https://t.example", kind, "x") for kind in LinkKind} == {
        "https://t.example/t/c/x",
        "https://t.example/t/o/x",
        "https://t.example/t/u/x",
    }


def test_links_lead_to_the_public_url_unless_told_otherwise() -> None:
    plain = Settings.model_validate({"secret_key": "k" * 32, "public_url": "https://songda.example/"})
    assert plain.policy().tracking_url == "https://songda.example"
    told = plain.model_copy(update={"tracking_url": "https://links.example/"})
    assert told.policy().tracking_url == "https://links.example"
