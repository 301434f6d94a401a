"""Files of suppressions: what is read, what a line that is wrong is told, and what no file can do."""

import datetime as dt

import pytest

from domain.errors import Refusal
from domain.refusals import REFUSALS
from domain.spreadsheets import cell, csv_lines
from domain.suppression_file import ParsedEntries, parse_entries
from domain.suppressions import COMPLAINT_HOLDS, MAX_IMPORTED, Entry, Rule, SuppressionScope

NOW = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=9)
RULE = Rule(SuppressionScope.ALL, LATER, "by telephone")


def read(text: str | bytes, rule: Rule = Rule()) -> ParsedEntries:
    return parse_entries(text.encode() if isinstance(text, str) else text, rule, NOW)


def entries(text: str | bytes, rule: Rule = Rule()) -> list[Entry]:
    found = read(text, rule)
    assert not found.problems, found.problems
    return list(found.entries.values())


@pytest.mark.parametrize(
    "text", ["Li@QQ.com\nhan@x.example\n", "email\nLi@qq.com\r\nhan@x.example", "Li@qq.com;\nhan@x.example;\n"]
)
def test_a_bare_list_takes_what_the_form_says(text: str) -> None:
    assert entries(text, RULE) == [
        Entry("li@qq.com", "manual", "all", LATER, "by telephone"),
        Entry("han@x.example", "manual", "all", LATER, "by telephone"),
    ]


def test_a_line_goes_before_the_form() -> None:
    text = (
        "address,reason,scope,until,note\n"
        "a@x.example,,,,\n"
        "b@x.example,MANUAL,batch,2026-12-24,call\n"
        "c@x.example,unsubscribe,,,\n"
        "d@x.example,complaint,batch,,\n"
    )
    christmas = dt.datetime(2026, 12, 23, 16, tzinfo=dt.UTC)
    assert entries(text, RULE) == [
        Entry("a@x.example", "manual", "all", LATER, "by telephone"),
        Entry("b@x.example", "manual", "batch", christmas, "call"),
        Entry("c@x.example", "unsubscribe", "batch", None, "by telephone"),
        Entry("d@x.example", "complaint", "all", NOW + COMPLAINT_HOLDS, "by telephone"),
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-12-24T08:30:00Z", dt.datetime(2026, 12, 24, 8, 30, tzinfo=dt.UTC)),
        ("2026-12-24 08:30", dt.datetime(2026, 12, 24, 0, 30, tzinfo=dt.UTC)),
        ("2026/12/24 8:30", dt.datetime(2026, 12, 24, 0, 30, tzinfo=dt.UTC)),
        ("2026-12-24", dt.datetime(2026, 12, 23, 16, tzinfo=dt.UTC)),
        ("2026-12-24T08:30:00.5+01:00", dt.datetime(2026, 12, 24, 7, 30, tzinfo=dt.UTC)),
    ],
)
def test_times_as_programs_and_spreadsheets_write_them(written: str, meant: dt.datetime) -> None:
    assert entries(f"address,until\na@x.example,{written}\n")[0].until == meant


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("nobody,,,,", "address_no_at"),
        (",manual,,,", "address_empty"),
        ("a@x.example,bored,,,", "suppression_cell"),
        ("a@x.example,dead,,,", "suppression_cell"),
        ("a@x.example,,some,,", "suppression_cell"),
        ("a@x.example,,,tomorrow,", "suppression_cell"),
        ("a@x.example,,,2026-02-30,", "suppression_cell"),
        ("a@x.example,,,9999-12-31 23:59,", "suppression_cell"),
        ("a@x.example,,,0001-01-01,", "suppression_cell"),
        ("a@x.example,,,," + "x" * 201, "suppression_cell"),
        ("a@x.example,,", "csv_fields"),
        ("a@x.example,,,,\x01", "csv_control"),
        ('a@x.example,,,,"open', "csv_quote"),
        ("a@x.example,,,," + "x" * 70_000, "csv_line_too_long"),
    ],
)
def test_a_wrong_line_is_named_and_costs_no_other(line: str, code: str) -> None:
    found = read(f"address,reason,scope,until,note\n{line}\nb@x.example,,,,\n")
    assert [(one.line, one.code) for one in found.problems] == [(2, code)]
    assert [one.address for one in found.entries.values()] == ["b@x.example"]
    wording = REFUSALS[code]
    assert wording.detail_en.format(**found.problems[0].params) and wording.detail_zh.format(**found.problems[0].params)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "csv_empty"),
        (b"address,reason\n", "csv_no_lines"),
        (b"name,reason\nLi,manual\n", "csv_no_address_column"),
        (b"a@x.example\n\0", "csv_not_text"),
        (b"PK\x03\x04 a@x.example", "csv_spreadsheet"),
        (b"a@x.example\n" * (MAX_IMPORTED + 1), "csv_too_many"),
        (b"a@x.example\n" + b" " * 21 * 2**20, "csv_too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_read_at_all(data: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(data)
    assert refused.value.code == code


def test_what_is_over_is_counted_and_what_is_named_twice_counts_last() -> None:
    found = read("address,until,note\na@x.example,2026-11-30,\nb@x.example,,one\nB@x.example,,two\n")
    assert (found.ended, found.repeated) == (1, 1)
    assert [(one.address, one.note) for one in found.entries.values()] == [("b@x.example", "two")]


def test_an_address_can_stand_there_for_several_reasons() -> None:
    text = "address,reason\na@x.example,manual\na@x.example,unsubscribe\n"
    assert [one.reason for one in entries(text)] == ["manual", "unsubscribe"]


@pytest.mark.parametrize("address", ["=cmd@x.example", "+a@x.example", "-a@x.example", "a@x.example"])
def test_what_was_made_safe_for_spreadsheets_is_read_as_it_was(address: str) -> None:
    note = "=1+1"
    data = csv_lines([["address", "note"], [cell(address), cell(note)]])
    assert [(one.address, one.note) for one in entries(data)] == [(address, note)]


def test_encodings_of_spreadsheets() -> None:
    for encoding in ("utf-8-sig", "utf-16", "gb18030"):
        assert entries("邮箱,note\na@x.example,来电\n".encode(encoding))[0].note == "来电"


def test_a_file_of_open_quotes_loses_no_line() -> None:
    found = read("address,note\n" + 'a@x.example,"open\n' * 50_000)
    assert [one.line for one in found.problems] == list(range(2, 50_002))
