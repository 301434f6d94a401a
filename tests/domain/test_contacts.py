"""What becomes a contact, and what a line of a file must be."""

import json

import pytest

from domain.audience import ListKind
from domain.audience_file import FileForm, file_form, read_portion
from domain.contacts import (
    MAX_CHANGES,
    NewContact,
    checked_contact,
    checked_name,
    phone_of,
    searched,
    values_of,
)
from domain.errors import Refusal


def portion_of(text: str) -> tuple[dict[str, str], dict[str, str], list[tuple[int, str]]]:
    """(values by number, names by number, refused lines)."""
    form = file_form(text.encode(), "utf-8", True, ListKind.CONTACTS)
    portion = read_portion(text.encode(), FileForm.read(json.loads(json.dumps(form.kept()))), 0, True)
    return portion.members, portion.people, [(each.line, each.code) for each in portion.refused]


@pytest.mark.parametrize(
    ("written", "phone"),
    [
        ("13800138000", "+8613800138000"),
        (" 138-0013-8000 ", "+8613800138000"),
        ("+86 138 0013 8000", "+8613800138000"),
        ("008613800138000", "+8613800138000"),
        ("８６１３８００１３８０００", "+8613800138000"),
        ("+44 7400 123456", "+447400123456"),
    ],
)
def test_a_number_is_kept_in_one_form_however_it_is_written(written: str, phone: str) -> None:
    assert phone_of(written) == phone


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("", "phone_empty"),
        ("1380013800", "phone_invalid"),
        ("010-62771234", "phone_landline"),
        ("1.38001E+10", "contact_phone_scientific"),
        ("1.38E10", "contact_phone_scientific"),
        ("13800138000,13800138001", "phone_invalid"),
        ("=13800138000", "phone_invalid"),
        ("１" * 5_000, "phone_invalid"),
        ("+8613800138000\x00", "phone_invalid"),
    ],
)
def test_what_is_no_number_says_why(written: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        phone_of(written)
    assert refused.value.code == code


def test_columns_are_number_name_and_variables() -> None:
    members, people, refused = portion_of(
        "姓名,手机号,code,中文列,code\n李雷,13800138000,1,x,y\n韩梅梅,13800138001,2,x,y\n"
    )
    assert members == {"+8613800138000": '{"code":"1"}', "+8613800138001": '{"code":"2"}'}
    assert people == {"+8613800138000": "李雷", "+8613800138001": "韩梅梅"}
    assert refused == []


def test_columns_that_cannot_be_variables_are_reported() -> None:
    form = file_form("phone,中文列,code,code\n13800138000,x,1,2\n".encode(), "utf-8", True, ListKind.CONTACTS)
    assert form.ignored == ("中文列", "code")


def test_bare_numbers_need_no_header() -> None:
    members, people, refused = portion_of("13800138000\n\n138 0013 8001\nnobody\n13800138000\n")
    assert members == {"+8613800138000": "{}", "+8613800138001": "{}"}
    assert (people, refused) == ({}, [(4, "phone_invalid")])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("name,city\nAnn,Wuhan\n", "csv_no_phone_column"),
        ("a,b\n13800138000,13800138001\n", "csv_phone_ambiguous"),
        ("13800138000,Ann\n", "csv_header_missing"),
        ("", "csv_empty"),
    ],
)
def test_a_file_without_a_clear_column_of_numbers_is_refused(text: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        file_form(text.encode(), "utf-8", True, ListKind.CONTACTS)
    assert refused.value.code == code


def test_a_column_named_phone_counts_before_others_that_look_alike() -> None:
    form = file_form(b"tel,phone\n13800138000,13800138001\n", "utf-8", True, ListKind.CONTACTS)
    assert form.address_column == "phone"


def test_a_value_that_no_sms_can_carry_costs_its_line_and_what_is_ignored_costs_none() -> None:
    long = "字" * 33
    members, _, refused = portion_of(
        f"phone,userName,code,备注\n13800138000,A,{long},x\n13800138001,{long},1,x\n13800138002,A,1,{long}\n"
    )
    assert refused == [(2, "sms_value_too_long"), (3, "sms_value_too_long")]
    assert list(members) == ["+8613800138002"]


def test_a_value_that_is_refused_when_it_is_sent_is_refused_at_once() -> None:
    members, _, refused = portion_of(
        'phone,userName,code\n13800138000,A,http://x.cn\n13800138001,A,"two\nlines"\n13800138002,www.x.cn,1\n'
    )
    assert refused == [(2, "sms_value_link"), (3, "sms_value_control"), (5, "sms_value_link")]
    assert members == {}


def test_an_address_list_is_read_as_before() -> None:
    """A form that was kept before there were contacts says nothing of its kind."""
    kept = file_form(b"email,name\na@x.cn,Ann\n", "utf-8", True).kept()
    del kept["kind"], kept["person"]
    portion = read_portion(b"email,name\na@x.cn,Ann\n", FileForm.read(kept), 0, True)
    assert portion.members == {"a@x.cn": '{"email":"a@x.cn","name":"Ann"}'}


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        (NewContact("1"), "phone", "phone_invalid"),
        (NewContact("13800138000", "x" * 33), "user_name", "contact_bad_user_name"),
        (NewContact("13800138000", "a\nb"), "user_name", "contact_bad_user_name"),
        (NewContact("13800138000", "", {"中文": "1"}), "variables", "contact_variable_name"),
        (NewContact("13800138000", "", {"": "1"}), "variables", "contact_variable_name"),
        (NewContact("13800138000", "", {"a": "x" * 33}), "variables", "sms_value_too_long"),
        (NewContact("13800138000", "", {"a": "x\ud800"}), "variables", "sms_value_control"),
        (NewContact("13800138000", "", {f"v{n}": "" for n in range(101)}), "variables", "member_too_many_variables"),
    ],
)
def test_a_contact_that_cannot_be_says_where(given: NewContact, field: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        checked_contact(given, "contacts[2].")
    assert (refused.value.field, refused.value.code) == (f"contacts[2].{field}", code)


def test_names_of_variables_come_with_percent_signs_or_without() -> None:
    assert checked_contact(NewContact("13800138000", " A ", {"%code%": "1", "x": "2"}))[1].variables == (
        '{"code": "1", "x": "2"}'
    )


def test_a_text_can_be_filled_with_the_name_unless_a_variable_is_called_so() -> None:
    assert values_of("李雷", {"code": "1"}) == {"userName": "李雷", "code": "1"}
    assert values_of("李雷", {"userName": "X"}) == {"userName": "X"}


@pytest.mark.parametrize(
    ("written", "prefix"),
    [
        ("", ""),
        ("138", "+86138"),
        ("138-0013", "+861380013"),
        ("+44 7", "+447"),
        ("0044", "+44"),
        ("8613", "+8613"),
        ("%", "?"),
        ("a' OR 1=1", "?"),
    ],
)
def test_what_is_looked_for_is_the_beginning_of_a_number(written: str, prefix: str) -> None:
    assert searched(written) == prefix


@pytest.mark.parametrize("name", ["", " ", "x" * 49, "a\nb"])
def test_a_name_that_no_list_can_have(name: str) -> None:
    with pytest.raises(Refusal):
        checked_name(name)
    assert MAX_CHANGES == 1_000
