"""Which replies mean that somebody wants no more marketing (domain-rules §4.1)."""

import unicodedata
from enum import StrEnum


class OptOutSource(StrEnum):
    """Who made an entry of the opt-out list."""

    REPLY = "reply"
    """The owner of the number."""
    MEMBER = "member"
    """A member of the account, by hand or with a file."""


WORDS = frozenset({"r", "t", "td", "n", "退订", "退訂", "拒收", "stop"})
"""A reply that is one of these and nothing else. STOP is what texts of other countries name."""
LONGEST_LOOKED_AT = 64
"""Characters of a reply that are looked at: a longer one is more than a word and punctuation."""


def opt_out_word(content: str) -> str:
    """The word by which this reply opts out, in lower case; empty: it does not.

    Full-width letters are half-width ones, case does not count, nor do blanks, invisible characters, quotation marks
    and punctuation around the word. A text that only contains such a word is no opt-out: our own `拒收请回复R`, sent
    back, says nothing.
    """
    if len(content) > LONGEST_LOOKED_AT:
        return ""
    plain = unicodedata.normalize("NFKC", content).casefold()
    seen = [character for character in plain if unicodedata.category(character) not in ("Cf", "Cc", "Zs", "Zl", "Zp")]
    while seen and not seen[-1].isalnum():
        seen.pop()
    start = next((place for place, character in enumerate(seen) if character.isalnum()), len(seen))
    word = "".join(seen[start:])
    return word if word in WORDS else ""
