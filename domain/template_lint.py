"""What is wrong with a template's content, found when it is saved and before a person reviews it.

Errors keep a version from being submitted; warnings are shown to its author and to the reviewer.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

from domain.markup import URL_ATTRIBUTES, Spot, compile_html
from domain.template_findings import WORDS
from domain.templates import MAX_BYTES, MAX_SUBJECT, Content, text_from_html
from domain.variables import SYSTEM_VARIABLES, TOKEN, variables_in
from domain.whole_text import UNSTORABLE

ACTIVE_ELEMENTS = ("script", "iframe", "frame", "object", "embed", "applet", "base")
FORM_ELEMENTS = ("form", "input", "button", "select", "textarea")
MOST = 20
"""Findings of one sort that are worth reading."""
_UNCLOSED = re.compile(r"%([A-Za-z_][A-Za-z0-9_]{0,31})(?![A-Za-z0-9_%])")
_TOO_LONG = re.compile(r"%([A-Za-z_][A-Za-z0-9_]{32,})%")
_FOREIGN_NAME = re.compile(r"%([\w-]{0,16}[^\x00-\x7f\W][\w-]{0,16})%")
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):")
_BLANKS = re.compile(r"[\x00-\x20]+")


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """`part` is `subject`, `html` or `text`; `line` counts from 1 (0: the part as a whole). Texts name the remedy."""

    severity: Severity
    code: str
    part: str
    line: int
    zh: str
    en: str

    def text(self, language: str) -> str:
        """The place and the problem in one sentence of `zh` or `en`."""
        return self.zh if language == "zh" else self.en


def lint(content: Content) -> list[Finding]:
    """Everything that is wrong, errors first, each naming its place. A text made from the HTML repeats nothing."""
    if content.text and content.text == text_from_html(content.html):
        content = replace(content, text="")
    found = [*unstorable(content), *_subject(content.subject), *_body(content), *_variables(content)]
    return sorted(found, key=lambda finding: finding.severity is Severity.WARNING)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those that keep a version from being submitted."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def unstorable(content: Content) -> list[Finding]:
    """What keeps content from even being saved as a draft: its size, or characters that no mail can carry."""
    found = []
    if content.size > MAX_BYTES:
        found.append(_finding("too_large", "html", 0, size=content.size // 1024 + 1, limit=MAX_BYTES // 1024))
    for part, text in _parts(content):
        if bad := UNSTORABLE.search(text):
            found.append(_finding("bad_character", part, _line(text, bad.start()), what=f"U+{ord(bad[0]):04X}"))
    return found


def _finding(code: str, part: str, line: int, **params: object) -> Finding:
    severe, zh, en = WORDS[code]
    names = {"subject": "主题", "html": "HTML 正文", "text": "纯文本正文"}
    place_zh = names[part] + (f"第 {line} 行" if line else "")
    place_en = {"subject": "subject", "html": "HTML", "text": "plain text"}[part] + (f", line {line}" if line else "")
    return Finding(
        Severity.ERROR if severe else Severity.WARNING,
        code, part, line, f"{place_zh}：{zh.format(**params)}", f"{place_en}: {en.format(**params)}",
    )  # fmt: skip


def _parts(content: Content) -> tuple[tuple[str, str], ...]:
    return (("subject", content.subject), ("html", content.html), ("text", content.text))


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _subject(subject: str) -> Iterator[Finding]:
    if not subject.strip():
        yield _finding("no_subject", "subject", 0)
    if len(subject) > MAX_SUBJECT:
        yield _finding("long_subject", "subject", 0, length=len(subject), limit=MAX_SUBJECT)
    if "\n" in subject or "\r" in subject:
        yield _finding("broken_subject", "subject", 0)


def _body(content: Content) -> list[Finding]:
    if not content.html.strip():
        return [_finding("no_body", "html", 0)]
    tree = LexborHTMLParser(UNSTORABLE.sub("\ufffd", content.html))
    found = [*_elements(content.html, tree), *_attributes(content.html, tree)]
    if tree.body is None or not (tree.body.text(strip=True) or tree.css_first("img")):
        found.append(_finding("nothing_visible", "html", 0))
    return found


def _elements(html: str, tree: LexborHTMLParser) -> Iterator[Finding]:
    for names, code in ((ACTIVE_ELEMENTS, "active_element"), (FORM_ELEMENTS, "form_element")):
        for name in names:
            if tree.css_first(name):
                yield _finding(code, "html", _tag_line(html, name), name=name, what=name)
    for meta in tree.css("meta[http-equiv]"):
        if (meta.attributes.get("http-equiv") or "").strip().lower() == "refresh":
            yield _finding("refresh", "html", _tag_line(html, "meta"))
    if tree.css_first("link[rel~=stylesheet i]"):
        yield _finding("stylesheet", "html", _tag_line(html, "link"))


def _tag_line(html: str, name: str) -> int:
    found = re.search(rf"<{name}(?=[\s/>])", html, re.IGNORECASE)
    return _line(html, found.start()) if found else 0


def _attributes(html: str, tree: LexborHTMLParser) -> list[Finding]:
    """Event handlers and links, each kind of finding once per attribute or scheme, with its first place."""
    found: dict[tuple[str, str], Finding] = {}
    for node in tree.css("*"):
        for name, value in node.attributes.items():
            for code, what in _attribute(node, name.lower(), value or ""):
                if (code, what) not in found and len(found) < MOST:
                    line = _attribute_line(html, name, value or "")
                    found[code, what] = _finding(code, "html", line, name=name, what=what)
    return list(found.values())


def _attribute(node: LexborNode, name: str, value: str) -> Iterator[tuple[str, str]]:
    if name.startswith("on"):
        yield "event_handler", name
    if name == "srcdoc":
        yield "active_element", "srcdoc"
    if name in URL_ATTRIBUTES or name.endswith(":href"):
        yield from _link(node, name, _BLANKS.sub("", value))


def _link(node: LexborNode, name: str, url: str) -> Iterator[tuple[str, str]]:
    scheme = _SCHEME.match(url)
    word = scheme[1].lower() if scheme else ""
    if word in ("javascript", "vbscript", "livescript") or (word == "data" and node.tag != "img"):
        yield "script_link", word
    elif word in ("data", "file"):
        yield f"{word}_link", word
    elif not word and url and not url.startswith(("#", "%", "//", "cid:")):
        yield "relative_link", url[:40]


def _attribute_line(html: str, name: str, value: str) -> int:
    """The line of an attribute; by its value when that is written as it is read, else by its first name."""
    position = html.find(value) if len(value) > 3 else -1
    if position < 0:
        named = re.search(rf"(?<![\w-]){re.escape(name)}\s*=", html, re.IGNORECASE)
        position = named.start() if named else -1
    return _line(html, position) if position >= 0 else 0


def _variables(content: Content) -> Iterator[Finding]:
    for part, text in _parts(content):
        yield from islice(_odd_percents(part, text), MOST)
    yield from islice(_misplaced(content.html), MOST)
    names = variables_in(content.subject, content.html, content.text)
    for name in names:
        if name in SYSTEM_VARIABLES:
            yield _finding("system_variable", *_first_use(content, name), name=name)
    for name, other in islice(_look_alikes(names), MOST):
        yield _finding("look_alike", *_first_use(content, name), name=name, other=other)


def _odd_percents(part: str, text: str) -> Iterator[Finding]:
    """What looks like a variable and is none; recognised variables and URL escapes are blanked out first."""
    rest = TOKEN.sub(lambda token: " " * len(token[0]), text)
    for code, pattern in (("long_name", _TOO_LONG), ("foreign_name", _FOREIGN_NAME), ("unclosed", _UNCLOSED)):
        seen: set[str] = set()
        for match in pattern.finditer(rest):
            if match[1] not in seen and not (code == "unclosed" and re.fullmatch("[0-9A-Fa-f]{2}.*", match[1])):
                seen.add(match[1])
                yield _finding(code, part, _line(text, match.start()), name=match[1][:40])


def _misplaced(html: str) -> Iterator[Finding]:
    for slot in compile_html(html).slots:
        if slot.spot is Spot.FORBIDDEN:
            code = "in_comment" if slot.where == "comment" else "misplaced"
            yield _finding(code, "html", _line(html, slot.offset), name=slot.name, where=slot.where)


def _first_use(content: Content, name: str) -> tuple[str, int]:
    for part, text in _parts(content):
        if (position := text.find(f"%{name}%")) >= 0:
            return part, _line(text, position)
    return "html", 0


def _look_alikes(names: list[str]) -> Iterator[tuple[str, str]]:
    """Pairs that differ in letter case only: most likely one variable, written in two ways."""
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(name.lower(), name)
        if other != name:
            yield name, other
