"""Which links are tracked, how they are numbered, and where each leads."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from domain.markup import compile_html
from domain.tracked_links import mark_links, target, tracked_links
from domain.variables import UNSUBSCRIBE
from tests.domain.test_templates import EVERY_PLACE, NASTY, shape


def targets(html: str, **values: str) -> list[str]:
    return [target(link, values) for link in tracked_links(html)]


@pytest.mark.parametrize(
    ("html", "leads"),
    [
        ('<a href="https://h.example/x">', ["https://h.example/x"]),
        ("<a href=https://h.example/x class=y>", ["https://h.example/x"]),
        ("<area href=' HTTPS://h.example ' shape=rect>", ["https://h.example"]),
        ('<a href="%u%">', ["https://q.example/?a=1&b=2"]),
        ('<a href="%u%&n=%n%">', ["https://q.example/?a=1&b=2&n=a%26b%20c"]),
        ('<a href="https://h.example/%n%?n=%n%">', ["https://h.example/a%26b%20c?n=a%26b%20c"]),
        ('<a href="https://h.example/?a=1&amp;b=2&copy=3&#38;d=4&notit;=5">', [
            "https://h.example/?a=1&b=2&copy=3&d=4&notit;=5"]),
        ('<a href="http://例子.example/路?q=你 好">', ["http://xn--fsqu00a.example/%E8%B7%AF?q=%E4%BD%A0%20%E5%A5%BD"]),
        ('<a href="https://h.example/\n  x">', ["https://h.example/%20%20x"]),
        ("<!--[if mso]><a href='https://o.example'>x</a><![endif]-->", ["https://o.example"]),
        ('<a class=x HREF="https://h.example"><a href="https://i.example">', ["https://h.example", "https://i.example"]),
    ],
)  # fmt: skip
def test_what_is_tracked_and_where_it_leads(html: str, leads: list[str]) -> None:
    assert targets(html, u="https://q.example/?a=1&b=2", n="a&b c") == leads


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:a@h.example">', '<a href="tel:123">', '<a href="#x">', '<a href="/x">', "<a>", "<a href>",
        '<a href="">', '<link href="https://h.example">', '<img src="https://h.example/x.png">', "https://h.example",
        '<!-- <a href="https://h.example"> -->', '<title><a href="https://h.example"></title>',
        '</a href="https://h.example">', '<a href="https://[">', '<a href="https://h.example:port/">',
        f'<a href="%{UNSUBSCRIBE}%">', f'<a href="%%{UNSUBSCRIBE}%%">', '<a data-href="https://h.example">',
    ],
)  # fmt: skip
def test_what_is_not(html: str) -> None:
    assert tracked_links(html) == ()


def test_numbers_count_from_one_in_the_order_of_the_source() -> None:
    html = '<a href="https://1.example"><a href="mailto:x@y.example"><a href="%u%"><a href="https://3.example">'
    assert [link.number for link in tracked_links(html)] == [1, 2, 3]
    assert [link.is_settled for link in tracked_links(html)] == [True, False, True]


@pytest.mark.parametrize(
    "value", ["javascript:alert(1)", "mailto:a@h.example", "", "#", "data:text/html,x", "h.example"]
)
def test_a_whole_link_that_is_no_web_address_leads_nowhere(value: str) -> None:
    assert targets('<a href="%u%">', u=value) == [""]


@given(value=NASTY)
def test_a_target_is_ascii_in_one_line_and_of_the_web_or_empty(value: str) -> None:
    for url in targets(
        '<a href="%u%"><a href="%u%/x"><a href="https://h.example/%u%"><a href="https://%u%/">', u=value
    ):
        assert url == "" or url.startswith(("http://", "https://"))
        assert url.isascii() and not any(c <= " " or c in "\"'<>\x7f" for c in url)
    assert targets('<a href="https://h.example/%u%">', u=value)[0].startswith("https://h.example/")


@pytest.mark.parametrize(
    ("html", "marked"),
    [
        ("<body><p>x</p></body></html>", "<body><p>x</p>|</body></html>"),
        ("<p>x</p>", "<p>x</p>|"),
        ("<body>x<!-- </body> --></BODY >", "<body>x<!-- </body> -->|</BODY >"),
        ("<body>x<!--[if mso]></body><![endif]--></body>", "<body>x<!--[if mso]></body><![endif]-->|</body>"),
    ],
)
def test_a_picture_stands_at_the_end_of_the_body(html: str, marked: str) -> None:
    compiled = mark_links(html)
    before, after = compiled.compiled.literals[: compiled.pixel + 1], compiled.compiled.literals[compiled.pixel + 1 :]
    assert f"{''.join(before)}|{''.join(after)}" == marked


@settings(max_examples=100, deadline=None)
@given(value=NASTY)
def test_marking_changes_nothing_but_links(value: str) -> None:
    """With each link put back as it is written, the text is what it is without tracking."""
    marked = mark_links(EVERY_PLACE)
    values = {"a": value}
    parts = [marked.compiled.literals[0]]
    for index, literal in enumerate(marked.compiled.literals[1:]):
        one = marked.plain.get(index)
        alone = type(marked.compiled)(("", ""), (marked.compiled.slots[index],))
        parts += ["" if index == marked.pixel else one.fill(values) if one else alone.fill(values), literal]
    assert "".join(parts) == compile_html(EVERY_PLACE).fill(values)


@settings(max_examples=200, deadline=None)
@given(
    pieces=st.lists(
        st.sampled_from(
            ["<a ", "href=", "https://h.example", '"', "'", ">", "%a%", "<!--", "-->", "</body>", " ", "="]
        ),
        max_size=12,
    )
)
def test_even_broken_markup_keeps_its_shape(pieces: list[str]) -> None:
    source = "<body>text" + "".join(pieces)
    marked = mark_links(source)
    fills = ["" if index == marked.pixel else "https://t.example/c" for index in range(len(marked.compiled.slots))]
    filled = "".join(x for pair in zip(marked.compiled.literals, [*fills, ""], strict=True) for x in pair)
    assert [tag for tag, _ in shape(filled)] == [tag for tag, _ in shape(compile_html(source).fill({"a": "z"}))]
    assert LexborHTMLParser(filled).body is not None
