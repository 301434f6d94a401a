"""SMS templates: what a version says, how it looks with values, and what it costs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from domain.errors import Refusal
from domain.sms import MAX_VALUE, Market, SmsKind
from domain.sms_notices import CODE_TEMPLATE
from domain.sms_text import bare_name, compose, fill, is_gsm, parts, variables_in

MAX_TEMPLATES = 1000
"""Of one account."""
MAX_NAME = 64
MAX_SAVED = 2_000
"""Characters of content that are kept as a draft; far more than can be sent."""
_SAMPLES = (
    (re.compile(r"code|captcha|otp|验证码", re.IGNORECASE), "123456"),
    (re.compile(r"minute|valid|expire", re.IGNORECASE), "10"),
    (re.compile(r"date|day", re.IGNORECASE), "2026-12-01"),
    (re.compile(r"time|hour", re.IGNORECASE), "09:30"),
    (re.compile(r"money|amount|price|fee|sum", re.IGNORECASE), "128.00"),
    (re.compile(r"name|user", re.IGNORECASE), "张小明"),
    (re.compile(r"order|number|num|id|no", re.IGNORECASE), "20261201008"),
)
_BUILTIN = re.compile(rf"{CODE_TEMPLATE}-\d+", re.IGNORECASE)
_SAMPLE, _FOREIGN_SAMPLE = "示例文字", "sample"


@dataclass(frozen=True)
class SmsContent:
    """What a version says. `signature` without brackets; empty while none is chosen."""

    kind: SmsKind
    market: Market
    signature: str
    content: str
    signature_last: bool = False

    @property
    def variables(self) -> list[str]:
        return list(variables_in(self.content))

    @property
    def text(self) -> str:
        """Signature and content, the variables still open."""
        return compose(self.signature, self.content, self.signature_last, self.market)


@dataclass(frozen=True)
class SmsPreview:
    """An SMS as a handset with these values would show it, and how it is paid."""

    text: str
    characters: int
    segments: int
    """Parts that are sent, and paid."""
    gsm: bool
    """All of it is in GSM-7 (160 or 153 characters a part); else UCS-2 (70 or 67)."""
    most_segments: int
    """With values as long as they may be."""
    missing: tuple[str, ...] = ()
    """Variables without a value, which are shown as written."""


def preview(content: SmsContent, values: Mapping[str, str]) -> SmsPreview:
    """Fill and count. `values` by name, with percent signs or without."""
    given = {bare_name(name): value for name, value in values.items()}
    text = fill(content.text, given)
    longest = fill(content.text, {name: longest_value(content.market) for name in content.variables})
    cut = parts(text)
    lacking = tuple(name for name in content.variables if name not in given)
    return SmsPreview(text, len(text), len(cut), is_gsm(text), len(parts(longest)), lacking)


def longest_value(market: Market) -> str:
    """A value that needs as much room as one may."""
    return ("字" if market is Market.DOMESTIC else "x") * MAX_VALUE


def sample_values(content: SmsContent) -> dict[str, str]:
    """A usual value for each variable, guessed by its name."""
    otherwise = _SAMPLE if content.market is Market.DOMESTIC else _FOREIGN_SAMPLE
    return {name: _sample(name, otherwise) for name in content.variables}


def _sample(name: str, otherwise: str) -> str:
    found = next((value for pattern, value in _SAMPLES if pattern.search(name)), otherwise)
    return otherwise if not found.isascii() and otherwise.isascii() else found


def require_name(text: str) -> str:
    """What a template is called; raises `Refusal` on field `name`.

    Requests name templates by number, by name or by UUID, so a name looks like neither of the others; nor like those
    that the platform makes for `sendCode`.
    """
    name = text.strip()
    if not name:
        raise Refusal("required", field="name")
    odd = not name.isprintable() or name.isnumeric() or _is_uuid(name) or _BUILTIN.fullmatch(name)
    if len(name) > MAX_NAME or odd:
        raise Refusal("sms_template_bad_name", field="name", limit=MAX_NAME)
    return name


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
