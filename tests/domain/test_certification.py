"""The rules of an application: what belongs to it, what is shown of it, when it is needed."""

import datetime as dt

import pytest

from domain.certification import (
    LONG_TERM,
    CertificationKind,
    Held,
    Part,
    check_objections,
    holds,
    is_exception,
    last_day,
    masked,
    missing,
    objections_in_words,
    part_name,
    parts_of,
    require_complete,
    require_needed,
)
from domain.errors import Refusal
from domain.masking import mask_number, mask_person
from domain.refusals import explain

INDIVIDUAL, ENTERPRISE = CertificationKind.INDIVIDUAL, CertificationKind.ENTERPRISE
TODAY = dt.date(2026, 11, 23)
SITE = {Part.WEBSITE: "https://example.com", Part.ICP_NUMBER: "鄂ICP备12012345号"}
PERSON = {Part.NAME: "张三丰", Part.ID_NUMBER: "11010519491231002X", Part.VALID_UNTIL: LONG_TERM, **SITE}
COMPANY = {
    **PERSON, Part.NAME: "武汉送达科技有限公司", Part.USCC: "91110000600037341L", Part.CONTACT_NAME: "李四",
}  # fmt: skip
CARD = {Part.ID_FRONT, Part.ID_BACK, Part.ICP_SCREENSHOT}
WHY = {Part.NO_WEBSITE_REASON: "我们只有线下门店，邮件用于会员通知。"}


def without_site(typed: dict[Part, str]) -> dict[Part, str]:
    return {part: text for part, text in typed.items() if part not in SITE} | WHY


def test_complete_applications() -> None:
    require_complete(INDIVIDUAL, PERSON, CARD)
    require_complete(ENTERPRISE, COMPANY, {Part.LICENCE, Part.ICP_SCREENSHOT})
    require_complete(INDIVIDUAL, without_site(PERSON), CARD - {Part.ICP_SCREENSHOT})


@pytest.mark.parametrize("part", [*sorted(PERSON), *sorted(CARD)])
def test_each_missing_part_of_a_person_is_named(part: Part) -> None:
    typed = {each: text for each, text in PERSON.items() if each is not part}
    assert missing(INDIVIDUAL, typed, CARD - {part}) == [part]
    with pytest.raises(Refusal) as caught:
        require_complete(INDIVIDUAL, typed, CARD - {part})
    assert (caught.value.code, caught.value.field) == ("certification_incomplete", part.value)
    assert part_name(part, INDIVIDUAL, "en") in explain(caught.value, "en")[1]
    assert part_name(part, INDIVIDUAL, "zh") in explain(caught.value, "zh")[1]


def test_an_empty_enterprise_lacks_everything_but_the_reason() -> None:
    assert set(parts_of(ENTERPRISE)) - set(missing(ENTERPRISE, {}, ())) == {Part.NO_WEBSITE_REASON}


@pytest.mark.parametrize(("text", "day"), [(LONG_TERM, None), ("", None), ("2030-01-02", dt.date(2030, 1, 2))])
def test_the_last_day_of_a_document(text: str, day: dt.date | None) -> None:
    assert last_day({Part.VALID_UNTIL: text}) == day
    assert last_day({}) is None


def test_without_a_website_it_is_an_exception_and_not_both() -> None:
    assert is_exception(without_site(PERSON))
    assert not is_exception(PERSON)
    assert not is_exception({})
    with pytest.raises(Refusal) as caught:
        require_complete(INDIVIDUAL, PERSON | WHY, CARD)
    assert caught.value.code == "certification_website_or_reason"
    with pytest.raises(Refusal):
        require_complete(INDIVIDUAL, without_site(PERSON) | {Part.ICP_NUMBER: "鄂ICP备12012345号"}, CARD)


def test_what_is_shown_is_masked() -> None:
    person, company = masked(INDIVIDUAL, PERSON), masked(ENTERPRISE, COMPANY)
    assert (person[Part.NAME], person[Part.ID_NUMBER]) == ("张**", "1101**********002X")
    assert company[Part.NAME] == COMPANY[Part.NAME]
    assert (company[Part.CONTACT_NAME], company[Part.USCC]) == ("李*", "9111**********341L")
    assert person[Part.WEBSITE] == SITE[Part.WEBSITE]


@pytest.mark.parametrize(
    ("name", "shown"), [("张三", "张*"), ("阿卜杜热合曼·买买提", "阿***"), ("Ada Lovelace", "A***"), ("", "")]
)
def test_masked_people(name: str, shown: str) -> None:
    assert mask_person(name) == shown


def test_short_numbers_are_hidden_altogether() -> None:
    assert mask_number("42060219900101") == "4206******0101"
    assert mask_number("12345678") == "********"


def test_one_is_needed_once_until_it_ends_soon() -> None:
    require_needed(ENTERPRISE, [], TODAY)
    require_needed(ENTERPRISE, [Held(INDIVIDUAL, None)], TODAY)
    require_needed(ENTERPRISE, [Held(ENTERPRISE, TODAY + dt.timedelta(days=60))], TODAY)
    for until in (None, TODAY + dt.timedelta(days=61)):
        with pytest.raises(Refusal):
            require_needed(ENTERPRISE, [Held(ENTERPRISE, until)], TODAY)


def test_it_holds_through_its_last_day() -> None:
    assert holds(Held(INDIVIDUAL, TODAY), TODAY)
    assert not holds(Held(INDIVIDUAL, TODAY - dt.timedelta(days=1)), TODAY)
    assert holds(Held(INDIVIDUAL, None), TODAY)


def test_objections_are_tidied_and_put_into_words() -> None:
    parts = check_objections(ENTERPRISE, {"licence": " 太暗 ", "name": "与执照不符", "website": "  "})
    assert parts == {"licence": "太暗", "name": "与执照不符"}
    assert objections_in_words(ENTERPRISE, parts, "zh") == "企业名称：与执照不符；营业执照：太暗"
    assert objections_in_words(ENTERPRISE, parts, "en") == "Company name: 与执照不符; Business licence: 太暗"
    for wrong in ({"id_front": "x"}, {"nonsense": "x"}, {"name": "x" * 501}, {"name": "a\x00b"}):
        with pytest.raises(Refusal):
            check_objections(ENTERPRISE, wrong)
