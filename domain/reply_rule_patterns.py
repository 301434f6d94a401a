"""How a row of the classifier's table says which replies it is for: words and stars, no regular expressions.

Operators write these patterns and every refusal is held against them, so they cannot be slow: each alternative is a
few literals that must follow each other, and a look for them reads the text once.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from domain.errors import Refusal
from domain.lanes import PROVIDERS, lane_of

MAX_LENGTH = 500
"""Characters of one pattern."""
MAX_ALTERNATIVES = 30
MAX_STARS = 8
"""In one alternative of words."""
LONGEST_HOST = 255
"""RFC 1035 §2.3.4."""
SEPARATOR = "|"
LANES = frozenset(provider.lane for provider in PROVIDERS)
_HOST = re.compile(r"(?=.{1,255}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_CODE = re.compile("[45][0-9x][0-9x]")
_ENHANCED = re.compile(r"([45*])\.([0-7]|\*)\.(\d{1,3}|\*)")


@dataclass(frozen=True)
class Hosts:
    """Receiving servers: of a lane (by the MX host's name, `domain.lanes`), or below a domain, label by label.

    So `qq` and `qq.com` both mean mxbiz1.qq.com, and nothing means every host with "163" somewhere in its name.
    """

    lanes: frozenset[str]
    suffixes: tuple[str, ...]

    def fit(self, host: str) -> bool:
        """`host` as `host_name` gives it."""
        return lane_of([host]) in self.lanes or any(host == end or host.endswith(f".{end}") for end in self.suffixes)


@dataclass(frozen=True)
class Words:
    """Words in a text, in lower case: one of the alternatives, each a sequence of literals."""

    alternatives: tuple[tuple["_Piece", ...], ...]

    def fit(self, text: str) -> bool:
        """`text` in lower case, with single spaces."""
        return any(pieces[0].literal in text and _follow(pieces, text) for pieces in self.alternatives)


@dataclass(frozen=True)
class _Piece:
    """A literal; `whole` looks for it where no letter or digit goes on, except at a star."""

    literal: str
    whole: "re.Pattern[str]"


def _follow(pieces: "tuple[_Piece, ...]", text: str) -> bool:
    """The first place of each piece after the one before is as good as any: what is between them does not matter."""
    at = 0
    for piece in pieces:
        found = piece.whole.search(text, at)
        if found is None:
            return False
        at = found.end()
    return True


def host_name(host: str) -> str:
    """As hosts are compared."""
    return host[:LONGEST_HOST].lower().rstrip(".")


def read_hosts(pattern: str) -> Hosts | None:
    """Names of lanes (`qq`) and domains (`qq.com`); None: any host. Raises `reply_rule_provider_unknown`."""
    parts = _alternatives(pattern, "provider")
    lanes = frozenset(part for part in parts if part in LANES)
    suffixes = tuple(part for part in parts if part not in LANES)
    for part in suffixes:
        if not _HOST.fullmatch(part):
            raise Refusal("reply_rule_provider_unknown", field="provider", part=part, known=", ".join(sorted(LANES)))
    return Hosts(lanes, suffixes) if parts else None


def read_enhanced(pattern: str) -> Callable[[str], bool] | None:
    """`5.1.1`, `5.7.*`, `*.2.2`; None: any, or none. Raises `reply_rule_enhanced_malformed`."""
    parts = _alternatives(pattern, "enhanced")
    if not all(_ENHANCED.fullmatch(part) for part in parts):
        raise Refusal("reply_rule_enhanced_malformed", field="enhanced")
    exact = frozenset(part for part in parts if "*" not in part)
    wild = [part.split(".") for part in parts if "*" in part]
    if not parts:
        return None
    return lambda code: code in exact or any(_same(each, code.split(".")) for each in wild)


def _same(pattern: list[str], code: list[str]) -> bool:
    return len(code) == len(pattern) and all(a in ("*", b) for a, b in zip(pattern, code, strict=True))


def read_codes(pattern: str) -> Callable[[str], bool] | None:
    """`550`, `45x`, `5xx`; None: any. Raises `reply_rule_code_malformed`."""
    parts = _alternatives(pattern, "code")
    if not all(_CODE.fullmatch(part) for part in parts):
        raise Refusal("reply_rule_code_malformed", field="code")
    begins = tuple(part.rstrip("x") for part in parts)
    if any("x" in each for each in begins):
        raise Refusal("reply_rule_code_malformed", field="code")
    return (lambda code: code.startswith(begins)) if parts else None


def read_words(pattern: str) -> Words | None:
    """Words, `*` for any characters or the rest of a word; None: any text. Raises `reply_rule_text_malformed`."""
    parts = _alternatives(pattern, "text")
    return Words(tuple(_pieces(part) for part in parts)) if parts else None


def _pieces(alternative: str) -> tuple[_Piece, ...]:
    literals = [literal.strip() for literal in alternative.split("*")]
    if len(literals) > MAX_STARS + 1 or not any(literals):
        raise Refusal("reply_rule_text_malformed", field="text", stars=MAX_STARS)
    last = len(literals) - 1
    return tuple(
        _Piece(literal, re.compile(_whole(literal, before=at > 0, after=at < last)))
        for at, literal in enumerate(literals)
        if literal
    )


def _whole(literal: str, *, before: bool, after: bool) -> str:
    """`before` and `after` say where a star lets the word go on. Only ASCII has ends of words: 用户不存在 has none."""
    begin = "" if before or not _is_word(literal[0]) else "(?<![a-z0-9])"
    end = "" if after or not _is_word(literal[-1]) else "(?![a-z0-9])"
    return f"{begin}{re.escape(literal)}{end}"


def _is_word(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _alternatives(pattern: str, field: str) -> list[str]:
    """In lower case, with single spaces. Raises `text_too_long` and `reply_rule_alternatives`."""
    if len(pattern) > MAX_LENGTH:
        raise Refusal("text_too_long", field=field, limit=MAX_LENGTH)
    words = " ".join(pattern.replace("\0", "").lower().split())
    parts = [part.strip() for part in words.split(SEPARATOR)] if words else []
    if len(parts) > MAX_ALTERNATIVES or not all(parts):
        raise Refusal("reply_rule_alternatives", field=field, limit=MAX_ALTERNATIVES)
    return parts
