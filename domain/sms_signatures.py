"""Signatures of SMS: the name in 【】 that says who writes (domain-rules §4.1)."""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Refusal
from domain.sms import Market
from domain.whole_text import UNSTORABLE

MIN_LENGTH = 2
MAX_LENGTH = 16
MAX_SIGNATURES = 100
"""Of one account."""
MAX_NOTE = 500
"""Characters for the reviewer."""


class SignatureSource(StrEnum):
    """What a signature stands for."""

    COMPANY = "company"
    """The company's own name or its usual short form."""
    WEBSITE = "website"
    """A website with an ICP filing."""
    APP = "app"
    MINI_PROGRAM = "mini_program"
    """A mini-program or public account."""
    SHOP = "shop"
    """A shop on somebody's marketplace."""
    TRADEMARK = "trademark"
    THIRD_PARTY = "third_party"
    """Another company's name, with its letter of authority."""


NEEDS_PROOF = frozenset(set(SignatureSource) - {SignatureSource.COMPANY, SignatureSource.WEBSITE})
"""The others are known from the enterprise certification, which names company, website and ICP filing."""


@dataclass(frozen=True)
class SignatureDraft:
    """What a customer writes. `text` comes with or without its brackets."""

    text: str
    market: Market = Market.DOMESTIC
    source: SignatureSource = SignatureSource.COMPANY
    note: str = ""


def bare(text: str) -> str:
    """A signature as people write it, without brackets and surrounding blanks."""
    name = text.strip()
    return name[1:-1].strip() if name.startswith("【") and name.endswith("】") else name


def require_text(text: str, market: Market) -> str:
    """The text of a signature; raises `Refusal` on field `text`.

    Letters of any script and digits, 2 to 16 of them. In international ones, single blanks between words.
    """
    name = bare(text)
    if not name:
        raise Refusal("required", field="text")
    letters = name.replace(" ", "") if market is Market.INTERNATIONAL and "  " not in name else name
    fits = MIN_LENGTH <= len(name) <= MAX_LENGTH and not letters.isdecimal()
    if not fits or not all(_is_letter(sign) for sign in letters):
        raise Refusal("sms_signature_bad_text", field="text", text=name[:40])
    return name


def _is_letter(sign: str) -> bool:
    """Whole characters alone: full-width and circled forms and joined marks would be taken for others."""
    return sign.isalnum() and unicodedata.normalize("NFKC", sign) == sign


def require_note(text: str) -> str:
    """What is written to the reviewer; raises `Refusal` on field `note`."""
    note = text.strip()
    if len(note) > MAX_NOTE:
        raise Refusal("text_too_long", field="note", limit=MAX_NOTE)
    if UNSTORABLE.search(note):
        raise Refusal("invalid", field="note", reason="U+0000")
    return note
