"""What a list may be called, and what a member may hold."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import audience
from domain.errors import Refusal
from tests.dns_world import POLICY

HERE = audience.alias_domain(POLICY)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("customers", f"customers@{HERE}"),
        (" Customers-2026.a_b ", f"customers-2026.a_b@{HERE}"),
        (f"x@{HERE}", f"x@{HERE}"),
        ("old@maillist.sendcloud.org", "old@maillist.sendcloud.org"),
    ],
)
def test_an_alias_address_is_kept_whole_and_in_lower_case(written: str, kept: str) -> None:
    assert audience.checked_alias(written, POLICY) == kept


@pytest.mark.parametrize("written", ["", "-a", "a-", "a..b", "a b", "a@", "李雷", "a" * 49, "a@gmail.com", "a@b@c"])
def test_what_cannot_be_an_alias_address_is_refused_at_its_field(written: str) -> None:
    with pytest.raises(Refusal) as refused:
        audience.checked_alias(written, POLICY)
    assert refused.value.field == "alias"


def has_plain_edges(value: str) -> bool:
    """Spaces around a value are taken for the form's, not the value's; line ends are written as escapes."""
    seen = value.replace("\n", "x").replace("\r", "x")
    return seen == seen.strip()


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\r\\"), max_size=30)
NAMES = st.from_regex(r"[a-z_]\w{0,10}", fullmatch=True)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(NAMES, TEXTS.filter(has_plain_edges)))
def test_variables_survive_the_form(variables: dict[str, str]) -> None:
    assert audience.variables_of_text(audience.text_of_variables(variables)) == variables


def test_a_line_end_within_a_value_is_written_as_an_escape() -> None:
    assert audience.text_of_variables({"a": "x\ny\\n", "b": ""}) == "a=x\\ny\\\\n\nb="
    assert audience.variables_of_text("a=x\\ny\\\\n\n\n b = c=d ") == {"a": "x\ny\\n", "b": "c=d"}
    with pytest.raises(Refusal, match="member_variables_text") as refused:
        audience.variables_of_text("a=1\nb")
    assert refused.value.params == {"line": 2}


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({f"v{n}": "" for n in range(101)}, "member_too_many_variables"),
        ({"3x": "a"}, "member_variable_name"),
        ({"x": "a" * 16_385}, "csv_value_too_long"),
        ({"x": "a\0"}, "csv_control"),
        ({f"v{n}": "a" * 16_000 for n in range(5)}, "member_too_large"),
    ],
)
def test_variables_that_no_mail_can_use_are_refused(variables: dict[str, str], code: str) -> None:
    with pytest.raises(Refusal, match=code):
        audience.checked_variables(variables, "variables")


@settings(max_examples=30, deadline=None)
@given(st.emails())
def test_a_cursor_leads_back(address: str) -> None:
    assert audience.address_at(audience.cursor_of(address)) == address


@pytest.mark.parametrize("cursor", ["", "%%%", "YQ", "gICA"])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Refusal, match="member_cursor"):
        audience.address_at(cursor)
