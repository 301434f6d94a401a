"""Variables are found, filled once, and cannot leave the place they stand in."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from domain.markup import BLOCKED_LINK, Spot
from domain.templates import (
    Content,
    compile_html,
    fill_header,
    fill_html,
    fill_text,
    missing,
    preview,
    text_from_html,
    variables_in,
)

NASTY = st.text(
    alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from("\"'<>=/% \t\n\r\x00&;:-!#`onabx")), max_size=30
) | st.sampled_from(
    ['"><script>alert(1)</script>', "' onload='x", "--><b>", "]]>", "javascript:alert(1)", "%a%", "</style><b>", "--!>"]
)
EVERY_PLACE = """<!doctype html><html><head><title>%a%</title><style>p{color:%a%}</style></head><body>
<p class="x %a%" title='%a%' data-x=%a% id=y>%a%<!-- %a% --><!--[if mso]><a href="%a%" x=%a%>%a%</a><![endif]--></p>
<a href="%a%">1</a><a href=%a% class=z>2</a><a href="%a%/x">3</a><a href="https://h.example/%a%?q=%a%#%a%">4</a>
<img alt="%a%" style="width:%a%" onerror="f('%a%')" src='http://h.example/%a%.png'><%a%></%a%><i %a%>i</i>< %a%
<textarea>%a%</textarea><svg><a xlink:href="%a%">s</a></svg><iframe srcdoc="%a%">%a%</iframe><script>'%a%'</script>
<b a="x"b=%a%c>end</b></body></html>"""


def shape(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """The elements and attribute names that a standard parser sees."""
    return [(node.tag or "", tuple(node.attributes)) for node in LexborHTMLParser(html).css("*")]


def first(html: str, name: str) -> LexborNode:
    node = LexborHTMLParser(html).css_first(name)
    assert node is not None
    return node


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Hello %name%, %Order_1%", ["name", "Order_1"]),
        ("50% off, 100%", []),
        ("50% off %name% 20%", ["name"]),
        ("%name%%name%%other%", ["name", "other"]),
        ("%%user_defined_unsubscribe_link%%", ["user_defined_unsubscribe_link"]),
        ("https://h/?q=%E4%BD%A0%E5%A5%BD", []),
        ("https://h/?q=%E4%BD%A0ab%E5%A5%BD&d=%A0", []),
        ("https://h/?q=%E4%BD%A0%date%", ["date"]),
        ("https://h/?q=%C4%E3%BA%C3%date%", ["date"]),
        ("https://h/%20%3D%name%", ["name"]),
        ("%1st%", []),
        ("%" + "a" * 32 + "%", ["a" * 32]),
        ("%" + "a" * 33 + "%", []),
        ("%姓名%", ["姓名"]),
        ("50%的人满意，另有20%一般，100%推荐", []),
        ("下降50%利润增长20%", []),
    ],
)
def test_what_is_a_variable(text: str, names: list[str]) -> None:
    assert variables_in(text) == names


def test_variables_of_several_texts_come_once_in_order() -> None:
    assert Content("%b% %a%", "<p>%c% %a%</p>", "%b%").variables == ["b", "a", "c"]


def test_missing_names_what_has_no_value() -> None:
    assert missing(["a", "b", "c"], {"b": ""}) == ["a", "c"]


def test_what_has_no_value_stays_as_written() -> None:
    assert fill_text("%a% %b%", {"a": "1"}) == "1 %b%"
    assert fill_html("<a href='%b%'>%a% %b%</a>", {"a": "1"}) == "<a href='%b%'>1 %b%</a>"


@given(value=NASTY, other=NASTY)
def test_a_value_is_filled_once(value: str, other: str) -> None:
    assert fill_text("<%a%|%b%>", {"a": value, "b": other}) == f"<{value}|{other}>"
    assert fill_text("%a%", {"a": "%b%", "b": other}) == "%b%"
    assert fill_html("<p>%a%</p>", {"a": "%b%", "b": other}) == "<p>%b%</p>"


@given(value=NASTY)
def test_a_header_stays_one_line(value: str) -> None:
    filled = fill_header("Hi %a%!", {"a": value})
    assert len(f"x{filled}x".splitlines()) == 1
    assert filled.startswith("Hi") and filled.endswith("!")


def test_a_header_keeps_words_apart() -> None:
    assert fill_header("Order %a%", {"a": "1\r\nBcc: x@y.example"}) == "Order 1 Bcc: x@y.example"


@settings(max_examples=300, deadline=None)
@given(value=NASTY)
def test_no_value_changes_the_structure_of_the_page(value: str) -> None:
    assert shape(fill_html(EVERY_PLACE, {"a": value})) == shape(fill_html(EVERY_PLACE, {"a": "z"}))


@settings(max_examples=300, deadline=None)
@given(
    pieces=st.lists(
        st.sampled_from(
            ["%a%", "<", ">", "</", "<!--", "-->", "<!", "<?", "<p ", "<a href=", "<a href='", '"', "'", "=", " ", "/",
             "x", "<title>", "</title>", "<style>", "</style>", "<textarea>", "</textarea", "<!--[if mso]>",
             "<![endif]-->", "style=", "&", "-", "!", "<br/>", "<b\t", "\n"]
        ),
        max_size=14,
    ),
    value=NASTY,
)  # fmt: skip
def test_even_in_broken_markup(pieces: list[str], value: str) -> None:
    source = "<body>text" + "".join(pieces)  # an empty document's first character decides where its head ends
    assert shape(fill_html(source, {"a": value})) == shape(fill_html(source, {"a": "z"}))


@given(value=NASTY)
def test_text_and_attributes_show_exactly_the_value(value: str) -> None:
    plain = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\r]", "", value)
    node = first(fill_html("<body><i title=\"%a%\" lang='%a%' dir=%a%>%a%</i>", {"a": plain}), "i")
    assert node.text() == plain
    assert [node.attributes[name] or "" for name in ("title", "lang", "dir")] == [plain] * 3


@given(value=NASTY)
def test_a_whole_link_is_a_web_or_mail_address_or_nothing(value: str) -> None:
    href = first(fill_html('<a href=" %a% ">x</a>', {"a": value}), "a").attributes["href"] or ""
    assert href.strip() == BLOCKED_LINK or href.strip().lower().startswith(("http://", "https://", "mailto:"))


@pytest.mark.parametrize(
    ("source", "values", "filled"),
    [
        ('<a href="%u%">', {"u": "https://h.example/a b?x=1&y=2"}, '<a href="https://h.example/a%20b?x=1&amp;y=2">'),
        ('<a href="%u%">', {"u": "mailto:a@h.example"}, '<a href="mailto:a@h.example">'),
        ('<a href="%u%">', {"u": "JavaScript:alert(1)"}, '<a href="#">'),
        ('<a href="%u%">', {"u": "java\nscript:alert(1)"}, '<a href="#">'),
        ('<a href="%u%">', {"u": "data:text/html,x"}, '<a href="#">'),
        ('<a href="%u%?q=%q%">', {"u": "https://h.example", "q": "a&b=c"}, '<a href="https://h.example?q=a%26b%3Dc">'),
        ('<a href="%u%?q=1">', {"u": "javascript:x"}, '<a href="javascript%3Ax?q=1">'),
        ('<a href="https://h/%q%">', {"q": "你 好/?#"}, '<a href="https://h/%E4%BD%A0%20%E5%A5%BD%2F%3F%23">'),
        ("<a href=%u% id=x>", {"u": "https://h/ onclick=x"}, '<a href="https://h/%20onclick=x" id=x>'),
        ("<style>p{color:%c%}</style>", {"c": "red}</style><b>"}, "<style>p{color:redstyleb}</style>"),
        ('<p onclick="%c%">', {"c": "x"}, '<p onclick="">'),
    ],
)
def test_links_styles_and_handlers(source: str, values: dict[str, str], filled: str) -> None:
    assert fill_html(source, values) == filled


def test_blocked_links_are_named() -> None:
    compiled = compile_html('<a href="%u%"><a href="%v%"><a href="https://h/%w%">')
    assert compiled.blocked_links({"u": "ftp://x", "v": "https://x", "w": "x"}) == ["u"]


def test_slots_say_where_they_stand() -> None:
    slots = compile_html('<a href="%u%" class="%c%">%t%</a><b %x%>').slots
    assert [(slot.name, slot.spot, slot.where) for slot in slots] == [
        ("u", Spot.LINK, "href"), ("c", Spot.ATTRIBUTE, "class"), ("t", Spot.TEXT, ""), ("x", Spot.FORBIDDEN, "tag"),
    ]  # fmt: skip


@pytest.mark.parametrize("part", ["<", "<a ", '<a b="', "<!--", "<title>", "%a", "%a%", "<a %a%>", "<!--[if x]>"])
def test_a_large_odd_text_is_compiled_in_linear_time(part: str) -> None:
    source = part * (100_000 // len(part))
    assert "".join(compile_html(source).literals).count("<") <= source.count("<")


def test_the_text_part_keeps_links_and_variables() -> None:
    text = text_from_html(
        "<html><head><title>t</title><style>p{}</style></head><body><p>Dear %name%,</p>\n\n\n"
        "<p><a href='%link%'>open</a></p><!-- no --></body></html>"
    )
    assert "Dear %name%," in text and "%link%" in text
    assert "<" not in text and "p{}" not in text and "no" not in text


@pytest.mark.parametrize("html", ["", "  ", "<!-- -->", "<p></p>"])
def test_nothing_visible_makes_no_text(html: str) -> None:
    assert text_from_html(html) == ""


@pytest.mark.parametrize("name", ["%%user_defined_unsubscribe_link%%", "%user_defined_unsubscribe_link%"])
def test_what_the_system_fills_is_asked_of_nobody(name: str) -> None:
    content = Content("%name%", f'<a href="{name}">%recipient%</a>', f"{name} %recipient%")
    assert content.variables == ["name"]
    shown = preview(content, {"name": "n", "user_defined_unsubscribe_link": "https://evil.test"})
    assert shown.missing == []
    assert shown.html == '<a href="https://example.com/unsubscribe">recipient@example.com</a>'
    assert shown.text == "https://example.com/unsubscribe recipient@example.com"


def test_a_value_named_as_the_recipient_is_used() -> None:
    assert preview(Content("x", "<p>%recipient%</p>"), {"recipient": "me"}).html == "<p>me</p>"
