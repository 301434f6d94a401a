"""Free content is what an approved template says, with some values, or it is nothing (domain/free_content.py)."""

import html as stdlib_html
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refusal
from domain.free_content import Pattern, Written, fill_values, is_verbatim, subject_fits
from domain.templates import Content, preview

SUBJECT = "订单 %order%：%name%"
HTML = (
    "<p>你好 %name% &amp; family,</p>\n<a href=\"%link%\" title='%name%'>%order%</a>"
    '<a href="https://shop.example/o?id=%order%&amp;x=1">x</a><p style="color:%colour%">bye</p>'
)
TEXT = "%name% %order% %link% %colour%"
CONTENT = Content(SUBJECT, HTML, TEXT)
PATTERN = Pattern.of(SUBJECT, HTML, TEXT, CONTENT.variables)
GOOD = {"name": "Tom & Jerry", "order": "A/1 b", "link": "https://x.example/?a=1&b=2", "colour": "#fff"}


def written(values: dict[str, str]) -> Written:
    """What the mail says with these values."""
    shown = preview(CONTENT, values)
    return Written(shown.subject, shown.html, shown.text)


WORDS = st.text(st.characters(min_codepoint=32, exclude_categories=("C", "Z")), max_size=12).map(str.strip)


@given(st.fixed_dictionaries({"name": WORDS, "order": WORDS}))
def test_what_a_template_makes_is_what_it_matches(values: dict[str, str]) -> None:
    """And with the values that are found it makes the same mail again."""
    mail = written(GOOD | values)
    found = PATTERN.values(Written(mail.subject, mail.html))
    if found is not None:
        assert written(found) == mail
    else:
        assert any(c in "<>\"'%" for value in values.values() for c in value) or ambiguous(values)


def ambiguous(values: dict[str, str]) -> bool:
    """A value that holds what stands behind it."""
    return any(piece in value for value in values.values() for piece in ("&", " ", "：", "\u2028"))


def test_values_are_read_out_of_html_links_and_styles() -> None:
    assert PATTERN.values(written(GOOD)) == GOOD


def test_unescaped_ampersands_and_line_ends_of_forms_are_the_same() -> None:
    mail = written(GOOD)
    loose = stdlib_html.unescape(mail.html.partition("<a")[0]).replace("& family", "&amp; family")
    html = (loose + "<a" + mail.html.partition("<a")[2]).replace("\n", "\r\n") + "\r\n"
    assert PATTERN.values(Written(mail.subject, html)) == GOOD


@pytest.mark.parametrize(
    ("values", "instead"),
    [
        ({"name": "MARK"}, "<b>Tom</b>"),
        ({"name": "MARK"}, "Tom</p><p>Buy"),
        ({"link": "https://MARK"}, "https://x' onclick='y"),
        ({"link": "https://MARK"}, 'https://x" onclick="y'),
        ({"order": "MARK"}, "1&amp;other=2"),
        ({"order": "MARK"}, "1/../2"),
        ({"colour": "MARK"}, "red;background:url(x)"),
    ],
)
def test_a_value_does_not_leave_its_place(values: dict[str, str], instead: str) -> None:
    mail = written(GOOD | values)
    assert PATTERN.values(mail) is not None
    assert PATTERN.values(Written(mail.subject, mail.html.replace("MARK", instead))) is None


def test_a_link_must_be_one() -> None:
    mail = written(GOOD)
    script = mail.html.replace("https://x.example/?a=1&amp;b=2", "javascript:alert(1)")
    assert PATTERN.values(Written(mail.subject, script)) is None


@pytest.mark.parametrize(
    "other",
    [
        Written("订单 1：Ann", written(GOOD).html),
        Written("订单 A/1 b：Tom & Jerry", written(GOOD).html + "<p>more</p>"),
        Written("Order A/1 b：Tom & Jerry", written(GOOD).html),
        Written("订单 A/1 b：Tom & Jerry", "", TEXT + "more"),
        Written("", ""),
    ],
)
def test_one_variable_has_one_value_and_nothing_is_added(other: Written) -> None:
    assert PATTERN.values(other) is None


def test_the_template_itself_is_verbatim_and_filled_later() -> None:
    found = PATTERN.values(Written(SUBJECT, HTML))
    assert found == {name: f"%{name}%" for name in ("name", "order", "link", "colour")} or found is None
    simple = Pattern.of("%a%", "<p>%b% %%user_defined_unsubscribe_link%%</p>", "", ["a", "b"])
    values = simple.values(Written("%a%", "<p>Dear %who% %%user_defined_unsubscribe_link%%</p>"))
    assert values == {"a": "%a%", "b": "Dear %who%"}
    assert fill_values(values, {"who": "Ann"}) == {"a": "%a%", "b": "Dear Ann"}
    assert is_verbatim({"a": "%a%"}) and not is_verbatim(values)


def test_a_long_value_that_is_named_many_times_is_refused_before_it_is_written() -> None:
    """A mail of 200 KB would take two gigabytes."""
    tracemalloc.start()
    try:
        with pytest.raises(Refusal) as refused:
            fill_values({"c": "%a%" * 2_000}, {"a": "x" * 100_000})
        assert refused.value.code == "variables_too_long"
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_our_own_unsubscribe_link_cannot_be_replaced() -> None:
    simple = Pattern.of("s", '<a href="%%user_defined_unsubscribe_link%%">x</a>', "", [])
    assert simple.values(Written("s", '<a href="https://evil.example">x</a>')) is None


def test_the_subject_alone_rules_out() -> None:
    assert subject_fits("a %x% c", "a b c") and not subject_fits("a %x% c", "b")


def test_matching_takes_linear_time() -> None:
    """What could not match is told at once, however many ways there are to try."""
    variables = [f"v{n}" for n in range(200)]
    hard = Pattern.of("s", "<p>" + "a".join(f"%{name}%" for name in variables) + "</p>", "", variables)
    begun = time.process_time()
    assert hard.values(Written("s", "<p>" + "a" * 100_000 + "<")) is None
    assert hard.values(Written("s", "<p>" + "a" * 100_000 + "</p>")) is not None
    assert time.process_time() - begun < 0.5
