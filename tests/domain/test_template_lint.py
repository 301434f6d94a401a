"""Each finding names its place; ordinary percent signs and mails are left alone."""

import pytest

from domain.template_findings import WORDS
from domain.template_lint import Finding, Severity, errors, lint, unstorable
from domain.templates import Content, text_from_html

GOOD = (
    '<html><head><style>p{width:100%}</style></head><body><p>Hi %name%, 50% off, 100%!</p>\n<a href="%link%">x</a>'
    '<a href="https://h.example/?q=%E4%BD%A0&n=%name%">y</a><a href="mailto:a@h.example">m</a><a href="#top">t</a>'
    '<img src="cid:logo" alt=""></body></html>'
)


def found(html: str = GOOD, subject: str = "Hello %name%", text: str = "") -> dict[str, Finding]:
    return {finding.code: finding for finding in lint(Content(subject, html, text))}


def test_a_good_mail_has_no_findings() -> None:
    assert found() == {}


@pytest.mark.parametrize(
    ("html", "code", "line"),
    [
        ("<p>x</p>\n<script>1</script>", "active_element", 2),
        ("<p>x</p>\n\n<SCRIPT src=x></SCRIPT>", "active_element", 3),
        ("<p>x</p><iframe srcdoc=x></iframe>", "active_element", 1),
        ("<p>x</p>\n<form action='https://h'></form>", "form_element", 2),
        ("<p>x</p>\n<meta http-equiv=REFRESH content='0;url=//h'>", "refresh", 2),
        ("<p>x</p>\n<img src=cid:x onerror=alert(1)>", "event_handler", 2),
        ("<p>x</p>\n<a href='javascript:alert(1)'>x</a>", "script_link", 2),
        ("<p>x</p>\n<a href='jav&#x61;script:alert(1)'>x</a>", "script_link", 2),
        ("<p>x</p>\n<a href=' java\tscript:x'>x</a>", "script_link", 2),
        ("<p>x</p>\n<a href='data:text/html,x'>x</a>", "script_link", 2),
        ("<p>x</p>\n<td %attrs%>", "misplaced", 2),
        ("<p>x</p>\n<p onclick='%a%'>", "misplaced", 2),
        ("", "no_body", 0),
    ],
)
def test_errors_in_the_html(html: str, code: str, line: int) -> None:
    finding = found(html)[code]
    assert (finding.severity, finding.part, finding.line) == (Severity.ERROR, "html", line)


@pytest.mark.parametrize(
    ("html", "code", "line"),
    [
        ("<p>\n%name</p>", "unclosed", 2),
        ("<p>\n%姓-名%</p>", "foreign_name", 2),
        ("<p>\n%" + "a" * 40 + "%</p>", "long_name", 2),
        ("<p>%name%</p>\n%Name%", "look_alike", 2),
        ("<p>x</p>\n%recipient%", "system_variable", 2),
        ("<p>x</p>\n<!-- %name% -->", "in_comment", 2),
        ("<p>x</p>\n<a href='/orders'>x</a>", "relative_link", 2),
        ("<p>x</p>\n<img src='data:image/png;base64,AA'>", "data_link", 2),
        ("<p>x</p>\n<a href='file:///c:/x'>x</a>", "file_link", 2),
        ("<p>x</p>\n<link rel=stylesheet href='https://h/x.css'>", "stylesheet", 2),
        ("<div></div>", "nothing_visible", 0),
    ],
)
def test_warnings_in_the_html(html: str, code: str, line: int) -> None:
    finding = found(html)[code]
    assert (finding.severity, finding.part, finding.line) == (Severity.WARNING, "html", line)


@pytest.mark.parametrize(
    ("subject", "code"),
    [("", "no_subject"), ("  ", "no_subject"), ("x" * 201, "long_subject"), ("a\nb", "broken_subject")],
)
def test_the_subject(subject: str, code: str) -> None:
    finding = found(subject=subject)[code]
    assert (finding.severity, finding.part) == (Severity.ERROR, "subject")


def test_the_place_is_named_in_both_languages() -> None:
    finding = found("<p>x</p>\n<form></form>")["form_element"]
    assert finding.text("en").startswith("HTML, line 2: ")
    assert finding.text("zh").startswith("HTML 正文第 2 行：")


def test_the_text_part_is_looked_at_too() -> None:
    assert found(text="Hi\n%name")["unclosed"].part == "text"


def test_a_text_made_from_the_html_repeats_nothing() -> None:
    html = "<p>Hi %name</p>"
    assert [finding.part for finding in lint(Content("s", html, text_from_html(html)))] == ["html"]


def test_what_cannot_be_stored() -> None:
    assert [f.code for f in unstorable(Content("s", "x" * (500 * 1024), ""))] == ["too_large"]
    assert unstorable(Content("s", "x" * (500 * 1024 - 1), "")) == []
    assert [(f.code, f.part) for f in unstorable(Content("a\x00", "<p>", "\ud800"))] == [
        ("bad_character", "subject"), ("bad_character", "text"),
    ]  # fmt: skip


def test_errors_come_first_and_findings_are_bounded() -> None:
    findings = lint(Content("", "<a href='/%x'></a>" + "".join(f"<p %v{n}% on{n}=1 href=/{n}>" for n in range(500))))
    severe = [finding.severity is Severity.ERROR for finding in findings]
    assert severe == sorted(severe, reverse=True)
    assert len(findings) < 100
    assert errors(findings)[0].code == "no_subject"


def test_every_wording_exists_in_both_languages() -> None:
    assert all(zh.endswith("。") and en.endswith(".") for _, zh, en in WORDS.values())
