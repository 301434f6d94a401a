"""E-mail templates: names, sizes, the plain-text part, and the filling of `%name%` variables.

This is the door to `domain.variables` (plain text) and `domain.markup` (HTML); `domain.template_lint` judges content.
"""

import re
from dataclasses import dataclass

from inscriptis import get_text
from inscriptis.model.config import ParserConfig
from lxml.etree import ParserError

from domain.markup import Compiled, compile_html, fill_html
from domain.variables import fill_header, fill_text, missing, variables_in

__all__ = [
    "Compiled", "Content", "compile_html", "fill_header", "fill_html", "fill_text", "missing", "text_from_html",
    "variables_in",
]  # fmt: skip

INVOKE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
MAX_BYTES = 500 * 1024
"""Of subject, HTML and text together, as UTF-8."""
MAX_SUBJECT = 200
"""Characters before variables are filled."""
MAX_NAME = 64
_LINKS = ParserConfig(display_links=True)


@dataclass(frozen=True)
class Content:
    """What a version says. An empty `text` means: made from the HTML."""

    subject: str
    html: str
    text: str = ""

    @property
    def variables(self) -> list[str]:
        return variables_in(self.subject, self.html, self.text)

    @property
    def size(self) -> int:
        """Bytes as UTF-8; lone surrogates (never valid) count as one."""
        return sum(len(part.encode(errors="replace")) for part in (self.subject, self.html, self.text))


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
