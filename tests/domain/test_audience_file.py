"""A file in portions says the same as the file as a whole, wherever it is cut."""

import codecs
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import audience_file
from domain.audience_file import EncodingCount, FileForm, Inspector, Rewriter, file_form, read_portion
from domain.errors import Refusal
from domain.recipients import parse_csv

ADDRESSES = st.sampled_from(["a@x.cn", "b@x.cn", "B@X.cn", "李雷@例子.中国", "c@y.com", "nobody", "", "d@z.org "])
VALUES = st.sampled_from(["", "Ann", "李雷", 'say "hi"', "two\nlines", "a,b", "x" * 40, "a\x01b", " "])
ROWS = st.lists(st.tuples(ADDRESSES, VALUES), min_size=1, max_size=60)


def written(rows: list[tuple[str, str]], line_end: str = "\n") -> str:
    def cell(value: str) -> str:
        return '"' + value.replace('"', '""') + '"' if any(mark in value for mark in '",\n') else value

    return line_end.join(["email,name", *(f"{cell(a)},{cell(v)}" for a, v in rows)]) + line_end


def in_portions(data: bytes, form: FileForm, sizes: random.Random) -> tuple[dict[str, str], list[int], int, int]:
    """(members, refused lines, repeats within portions, lines) of a file that is read in portions of any size."""
    members: dict[str, str] = {}
    refused: list[int] = []
    repeated = at = line = 0
    while at < len(data):
        end = at + sizes.randint(1, 400)
        while end < len(data) and b"\n" not in data[at:end]:
            end += 1
        portion = read_portion(data[at:end], form, line, end >= len(data))
        if not portion.size:  # as a real portion would be: long enough for any record
            portion = read_portion(data[at:], form, line, True)
        members |= portion.members
        refused += [problem.line for problem in portion.refused]
        repeated += portion.repeated
        at, line = at + portion.size, line + portion.lines
    return members, refused, repeated, line


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]))
def test_portions_find_what_the_whole_file_holds(
    rows: list[tuple[str, str]], seed: int, line_end: str, codec: str
) -> None:
    data = written(rows, line_end).encode(codec)
    encoding = "gb18030" if codec == "gb18030" else "utf-8"
    try:
        form = file_form(data, encoding, True)
    except Refusal:
        return  # no column of addresses among these
    whole = read_portion(data, form, 0, True)
    members, refused, _, lines = in_portions(data, form, random.Random(seed))
    assert members == whole.members
    assert refused == [problem.line for problem in whole.refused]
    assert lines == whole.lines
    taken = len(whole.members) + whole.repeated + len(whole.refused)
    blank = sum(not (address.strip() or value.strip()) for address, value in rows)
    assert taken == len(rows) - blank or '"' in written(rows)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_the_rules_are_those_of_a_send_but_the_last_line_counts(rows: list[tuple[str, str]]) -> None:
    data = written(rows).encode()
    try:
        parsed = parse_csv(data)
        form = file_form(data, "utf-8", True)
    except Refusal:
        return
    portion = read_portion(data, form, 0, True)
    assert list(portion.members) == [each.address for each in parsed.recipients]
    assert [(p.line, p.code) for p in portion.refused] == [(p.line, p.code) for p in parsed.problems]
    assert portion.repeated == parsed.duplicates
    if parsed.recipients and not parsed.duplicates:
        assert {address: json.loads(told) for address, told in portion.members.items()} == {
            each.address: dict(each.variables) for each in parsed.recipients
        }


def test_the_last_line_of_an_address_counts() -> None:
    data = b"email,name\na@x.cn,First\nb@x.cn,Bea\na@x.cn,Last\n"
    portion = read_portion(data, file_form(data, "utf-8", True), 0, True)
    assert json.loads(portion.members["a@x.cn"])["name"] == "Last"
    assert (portion.repeated, portion.lines, portion.size) == (1, 4, len(data))


def test_a_quote_that_goes_on_beyond_a_portion_is_read_with_the_next() -> None:
    first, rest = b'email,name\na@x.cn,Ann\nb@x.cn,"two\n', b'lines"\nc@x.cn,Cid\n'
    form = file_form(first + rest, "utf-8", True)
    portion = read_portion(first, form, 0, False)
    assert (list(portion.members), portion.refused, portion.lines) == (["a@x.cn"], [], 2)
    following = read_portion((first + rest)[portion.size :], form, portion.lines, True)
    assert json.loads(following.members["b@x.cn"])["name"] == "two\nlines"


def test_a_quote_that_is_never_closed_costs_its_line_alone() -> None:
    lines = b"".join(b"m%d@x.cn,n\n" % number for number in range(200))
    data = b'email,name\na@x.cn,"open\n' + lines
    form = file_form(data, "utf-8", True)
    members, refused, _, _ = in_portions(data, form, random.Random(1))
    assert (len(members), refused) == (200, [2])


def inspected(data: bytes, size: int) -> Inspector:
    inspector = Inspector()
    for at in range(0, len(data), size):
        inspector.feed(data[at : at + size])
    inspector.finish()
    return inspector


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("data", "utf8", "lone", "lines"),
    [
        (b"", True, False, 0),
        (b"a\nb", True, False, 2),
        (b"a\r\nb\r\n", True, False, 2),
        (b"a\rb\r", True, True, 0),
        (b"a\nb\r", True, True, 2),
        ("名\n".encode(), True, False, 1),
        ("名\n".encode("gb18030"), False, False, 1),
        ("名".encode()[:-1], False, False, 1),
    ],
)
def test_a_file_is_looked_through_in_pieces(data: bytes, utf8: bool, lone: bool, lines: int, size: int) -> None:
    found = inspected(data, size)
    assert (found.is_utf8, found.has_lone_returns, found.lines if not lone else lines) == (utf8, lone, lines)


def test_what_holds_zero_bytes_is_no_text() -> None:
    with pytest.raises(Refusal, match="csv_not_text"):
        Inspector().feed(b"a\0b")


def counted(data: bytes) -> str:
    count = EncodingCount()
    for at in range(0, len(data), 7):
        count.feed(data[at : at + 7])
    return count.encoding


def test_files_that_were_glued_together_are_read_line_by_line() -> None:
    """But in a long file of GB18030 one line in thousands looks like UTF-8 by chance."""
    gb, chance = "武汉市\n".encode("gb18030"), "北京\n".encode()
    assert counted(gb * 500) == "gb18030"
    assert counted(gb * 500 + chance) == "gb18030"
    assert counted(gb * 50 + chance * 50) == "mixed"


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_text_is_written_anew_with_plain_line_ends(size: int) -> None:
    text = "email,name\r\na@x.cn,李雷\rb@x.cn,韩\n"
    for data, utf16 in ((text.encode("utf-16"), True), (text.encode(), False)):
        rewriter = Rewriter(utf16)
        pieces = [rewriter.feed(data[at : at + size]) for at in range(0, len(data), size)]
        whole = b"".join([*pieces, rewriter.feed(b"", final=True)])
        assert whole == text.replace("\r\n", "\n").replace("\r", "\n").encode()


def test_half_a_character_of_utf16_is_refused() -> None:
    rewriter = Rewriter(utf16=True)
    rewriter.feed(codecs.BOM_UTF16_LE + b"a\0b")
    with pytest.raises(Refusal, match="csv_not_text"):
        rewriter.feed(b"", final=True)


def test_a_form_survives_being_kept() -> None:
    form = file_form("email,名字,first name,3x\na@x.cn,李雷,x,y\n".encode(), "utf-8", True)
    assert FileForm.read(json.loads(json.dumps(form.kept()))) == form
    assert form.ignored == ("3x",)
    assert [name for _, name in form.variables] == ["email", "名字", "first_name"]


def test_a_header_longer_than_what_is_looked_at_is_refused() -> None:
    with pytest.raises(Refusal, match="csv_header_broken"):
        file_form(b"x" * audience_file.HEAD_BYTES, "utf-8", False)
