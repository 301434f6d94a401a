"""E-mail templates: names, sizes, the plain-text part, and the filling of `%name%` variables.

This is the door to `domain.variables` (plain text) and `domain.markup` (HTML); `domain.template_lint` judges content.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from inscriptis import get_text
from inscriptis.model.config import ParserConfig
from lxml.etree import ParserError

from domain.markup import Compiled, Spot, compile_html, fill_html
from domain.variables import SYSTEM_VARIABLES, fill_header, fill_text, missing, system_values, variables_in

__all__ = [
    "Compiled", "Content", "Preview", "compile_html", "fill_header", "fill_html", "fill_text", "missing", "preview",
    "sample_values", "text_from_html", "variables_in",
]  # fmt: skip

INVOKE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_BYTES = 500 * 1024
"""Of subject, HTML and text together, as UTF-8."""
MAX_SUBJECT = 200
"""Characters before variables are filled."""
MAX_NAME = 64
MAX_TEMPLATES = 1000
"""Of one account."""
MAX_VALUE = 10_000
"""Characters of one value in a preview."""
SAMPLE_RECIPIENT = "recipient@example.com"
SAMPLE_UNSUBSCRIBE = "https://example.com/unsubscribe"
_LINKS = ParserConfig(display_links=True)


@dataclass(frozen=True)
class Content:
    """What a version says. An empty `text` means: made from the HTML."""

    subject: str
    html: str
    text: str = ""

    @property
    def variables(self) -> list[str]:
        """What a sender has to give values for; the system fills the others."""
        return [name for name in variables_in(self.subject, self.html, self.text) if name not in SYSTEM_VARIABLES]

    @property
    def size(self) -> int:
        """Bytes as UTF-8; lone surrogates (never valid) count as one."""
        return sum(len(part.encode(errors="replace")) for part in (self.subject, self.html, self.text))


def is_name(text: str) -> bool:
    """Whether a template may be called so by people."""
    return 0 < len(text) <= MAX_NAME and text.isprintable()


def looks_like_id(text: str) -> bool:
    """Whether an invoke name could be taken for a template's id."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def text_from_html(html: str) -> str:
    """The plain-text part of a mail that was written as HTML; links keep their addresses, variables stay."""
    if not html.strip():
        return ""
    try:
        text = get_text(html, _LINKS)
    except ParserError:
        # lxml's word for a document without an element, such as a lone comment.
        return ""
    lines = [line.rstrip() for line in text.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


@dataclass(frozen=True)
class Preview:
    """A mail as a recipient with these values would get it; `blocked_links` are values that are no web address."""

    subject: str
    html: str
    text: str
    missing: list[str]
    blocked_links: list[str]


def preview(content: Content, values: Mapping[str, str]) -> Preview:
    """Fill subject, HTML and text. Variables without a value stay as written."""
    values = system_values(SAMPLE_RECIPIENT, values, SAMPLE_UNSUBSCRIBE)
    compiled = compile_html(content.html)
    return Preview(
        subject=fill_header(content.subject, values),
        html=compiled.fill(values),
        text=fill_text(content.text or text_from_html(content.html), values),
        missing=missing(content.variables, values),
        blocked_links=compiled.blocked_links(values),
    )


def sample_values(content: Content) -> dict[str, str]:
    """A value for each variable that shows where it goes; a whole link gets a web address."""
    links = {slot.name for slot in compile_html(content.html).slots if slot.spot in (Spot.LINK, Spot.LINK_START)}
    return {name: f"https://example.com/{name}" if name in links else f"[{name}]" for name in content.variables}
