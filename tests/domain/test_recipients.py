"""Recipient files as people make them, and as nobody should."""

import csv
import io
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Refusal
from domain.recipients import MAX_FILE_BYTES, BadLines, LineProblem, ParsedRecipients, parse_csv
from domain.refusals import explain
from domain.sending import MAX_RECIPIENTS

PLAIN = "email,name,city\nan@qq.com,安,武汉\nbo@163.com,波,北京\n"


def addresses(parsed: ParsedRecipients) -> list[str]:
    return [recipient.address for recipient in parsed.recipients]


def problems(parsed: ParsedRecipients) -> list[tuple[int, str]]:
    return [(problem.line, problem.code) for problem in parsed.problems]


def refused(data: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse_csv(data)
    for language in ("zh", "en"):
        assert all(explain(caught.value, language)[1:])
    return caught.value


@pytest.mark.parametrize(
    ("encoding", "named"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-bom"), ("utf-16", "utf-16"), ("gb18030", "gb18030")],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_delimiters_and_line_ends(encoding: str, named: str, end: str, delimiter: str) -> None:
    parsed = parse_csv(PLAIN.replace(",", delimiter).replace("\n", end).encode(encoding))
    assert parsed.encoding == named
    assert addresses(parsed) == ["an@qq.com", "bo@163.com"]
    assert parsed.recipients[0].variables == {"email": "an@qq.com", "name": "安", "city": "武汉"}
    assert [recipient.line for recipient in parsed.recipients] == [2, 3]
    assert (parsed.columns, parsed.address_column) == (("email", "name", "city"), "email")
    assert (parsed.problems, parsed.warnings, parsed.duplicates) == ((), (), 0)


def test_utf16_big_endian() -> None:
    assert parse_csv(b"\xfe\xff" + PLAIN.encode("utf-16-be")).recipients[1].variables["city"] == "北京"


def test_files_glued_together_keep_their_names() -> None:
    data = "email,name\na@b.cc,张伟\n".encode() + "c@d.ee,王芳\n".encode("gb18030") + b"e@f.gg,x\n"
    parsed = parse_csv(data)
    assert parsed.encoding == "mixed"
    assert [r.variables["name"] for r in parsed.recipients] == ["张伟", "王芳", "x"]


def test_bom_before_gb18030() -> None:
    parsed = parse_csv(b"\xef\xbb\xbf" + "email,name\na@b.cc,联通\n".encode("gb18030"))
    assert (parsed.recipients[0].variables["name"], parsed.encoding) == ("联通", "gb18030")


def test_a_line_in_no_encoding_costs_only_itself() -> None:
    parsed = parse_csv("email,name\na@b.cc,张伟\n".encode("gb18030") + b"c@d.ee,\xff\xff\ne@f.gg,x\n")
    assert addresses(parsed) == ["a@b.cc", "e@f.gg"]
    assert problems(parsed) == [(3, "csv_undecodable")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "csv_empty"),
        (b"\n \n\t\n", "csv_empty"),
        (b"\xef\xbb\xbf", "csv_empty"),
        (b"email,name\n", "csv_no_lines"),
        (b"email,name\n\n , \n", "csv_no_lines"),
        (b"PK\x03\x04rest", "csv_spreadsheet"),
        (b"\xd0\xcf\x11\xe0rest", "csv_spreadsheet"),
        (b"email\n\x00\x00\n", "csv_not_text"),
        (b"\xff\xfea", "csv_not_text"),
        ("email\na@b.cc".encode("utf-16-le"), "csv_not_text"),
        (b"a@b.cc,Ann\nc@d.ee,Bob\n", "csv_header_missing"),
        (b"name,city\nAnn,Berlin\n", "csv_no_address_column"),
        (b"home,work\na@b.cc,c@d.ee\n", "csv_address_ambiguous"),
        (b'"email,name\na@b.cc,x\n', "csv_header_broken"),
        (b"email" + b",x" * 100 + b"\n", "csv_too_many_columns"),
        (b"x" * (MAX_FILE_BYTES + 1), "csv_too_large"),
    ],
)
def test_files_that_cannot_be_read(data: bytes, code: str) -> None:
    assert refused(data).code == code


@pytest.mark.parametrize(
    "header", ["E-Mail", "EMAIL", "mail", " Address ", "邮箱", "邮件地址", "邮箱地址", "收件人", "contact", ""]
)
def test_the_address_column_by_name_or_by_content(header: str) -> None:
    assert addresses(parse_csv(f"name,{header},city\nAnn,a@b.cc,Berlin\n".encode())) == ["a@b.cc"]


def test_a_postal_address_is_not_the_address_column() -> None:
    parsed = parse_csv(b"address,contact\nWuhan 1,a@b.cc\nBeijing 2,c@d.ee\n")
    assert (addresses(parsed), parsed.address_column) == (["a@b.cc", "c@d.ee"], "contact")
    assert parsed.recipients[0].variables == {"address": "Wuhan 1", "contact": "a@b.cc"}


def test_a_name_decides_between_two_columns_of_addresses() -> None:
    assert addresses(parse_csv(b"backup,email\na@b.cc,c@d.ee\n")) == ["c@d.ee"]


def test_a_named_column_of_bad_addresses_is_reported_by_line() -> None:
    assert problems(parse_csv(b"email,name\nnobody,x\n,y\n")) == [(2, "address_no_at"), (3, "address_empty")]


def test_a_bare_list_needs_no_header() -> None:
    parsed = parse_csv(b"a@b.cc\n\nc@d.ee\nbroken\n")
    assert [(r.line, r.address) for r in parsed.recipients] == [(1, "a@b.cc"), (3, "c@d.ee")]
    assert problems(parsed) == [(4, "address_no_at")]


def test_excels_own_first_line() -> None:
    assert addresses(parse_csv(b"sep=;\r\nemail;name\r\na@b.cc;A,B\r\n")) == ["a@b.cc"]


def test_column_names_become_variables_or_are_reported() -> None:
    parsed = parse_csv("email,%name%,First Name,姓名,name,2nd,\na@b.cc,1,2,3,4,5,\n".encode())
    assert parsed.columns == ("email", "name", "First_Name", "姓名")
    assert parsed.recipients[0].variables == {"email": "a@b.cc", "name": "1", "First_Name": "2", "姓名": "3"}
    assert [(w.line, w.code, w.value) for w in parsed.warnings] == [
        (1, "csv_column_repeated", "name"),
        (1, "csv_column_name", "2nd"),
    ]


def test_broken_lines_are_named_and_cost_no_other_line() -> None:
    data = (
        "email,name\n"
        "a@b.cc\n"  # 2: too few
        "c@d.ee,x,y\n"  # 3: too many
        "e@f.gg,x,,\n"  # 4: empty surplus fields, fine
        'g@h.ii,"never closed\n'  # 5
        "j@k.ll,fine\n"  # 6
        'm@n.oo,"text"after\n'  # 7
        'p@q.rr,"two\nlines"\n'  # 8, 9: fine
        "s@t.uu,5 inch 5\" disk\n"  # 10: a quote inside is ordinary
        "nobody,x\n"  # 11
        "v@w.xx,\x07bell\n"  # 12
        + "y@z.aa," + "x" * 20_000 + "\n"  # 13
        + "x" * 70_000 + "\n"  # 14
        'b@b.bb,"a ""b"" c" \n'  # 15: fine
    )  # fmt: skip
    parsed = parse_csv(data.encode())
    assert problems(parsed) == [
        (2, "csv_fields"),
        (3, "csv_fields"),
        (5, "csv_quote"),
        (7, "csv_quote"),
        (11, "address_no_at"),
        (12, "csv_control"),
        (13, "csv_value_too_long"),
        (14, "csv_line_too_long"),
    ]
    assert {r.line: r.variables["name"] for r in parsed.recipients} == {
        4: "x", 6: "fine", 8: "two\nlines", 10: '5 inch 5" disk', 15: 'a "b" c',
    }  # fmt: skip
    assert parsed.problems[1].params == {"expected": 2, "found": 3}
    for problem in parsed.problems:
        assert all(explain(problem.refusal(), "zh")[1:])


def test_an_open_quote_swallows_no_recipient() -> None:
    """Lines 3 and 4 would fit into the quoted field that line 2 opens and line 5 closes."""
    parsed = parse_csv(b'email,name\na@b.cc,"open\nc@d.ee,x\ne@f.gg,y\ng@h.ii,z"\n')
    assert addresses(parsed) == ["c@d.ee", "e@f.gg", "g@h.ii"]
    assert problems(parsed) == [(2, "csv_quote")]


def test_duplicates_first_wins() -> None:
    parsed = parse_csv(b"email,name\na@B.cc,1\nA@b.cc,2\na@b.CC,3\n a@b.cc ,4\n")
    assert [(r.address, r.variables["name"]) for r in parsed.recipients] == [("a@b.cc", "1"), ("A@b.cc", "2")]
    assert parsed.duplicates == 2


def test_an_address_beyond_ascii_is_sent_and_flagged() -> None:
    parsed = parse_csv("email\n用户@例子.中国\n".encode())
    assert addresses(parsed) == ["用户@xn--fsqu00a.xn--fiqs8s"]
    assert [(w.line, w.code) for w in parsed.warnings] == [(2, "address_smtputf8")]


def test_bad_lines_name_the_first() -> None:
    bad = BadLines((LineProblem(7, "address_empty"), LineProblem(9, "csv_quote")))
    assert explain(bad, "en")[:2] == (422, "2 lines cannot be used; the first is line 7.")


def test_a_hundred_thousand_lines() -> None:
    rows = "".join(f"user{i}@example{i % 97}.com,名字{i},城市\r\n" for i in range(MAX_RECIPIENTS))
    data = f"邮箱,name,city\r\n{rows}".encode("gb18030")
    began = time.perf_counter()
    parsed = parse_csv(data)
    assert time.perf_counter() - began < 10, "about 0.7 s on an idle core"
    assert len(parsed.recipients) == MAX_RECIPIENTS
    assert parsed.recipients[-1].line == MAX_RECIPIENTS + 1
    too_many = refused(data + b"one@more.com,x,y\r\n")
    assert (too_many.code, too_many.params["found"]) == ("csv_too_many", MAX_RECIPIENTS + 1)


@pytest.mark.parametrize(
    "line",
    ['"a@b.cc,x,y', '"' * 40, 'x,"' + "y" * 400, "@" * 1000, "a@" + "b." * 500 + "c", '"",' * 300, "a" * 900, ",,,,,"],
    ids=["open", "quotes", "open-long", "ats", "labels", "empties", "plain", "commas"],
)
def test_hostile_lines_take_no_hostile_time(line: str) -> None:
    count = 4_000_000 // len(line)
    began = time.perf_counter()
    parsed = parse_csv(("email,name,city\nok@ok.com,x,y\n" + f"{line}\n" * count).encode())
    assert time.perf_counter() - began < 20, "a second or two on an idle core"
    assert addresses(parsed) == ["ok@ok.com"]


def test_memory_is_moderate() -> None:
    data = "email,name\n" + "".join(f"user{i}@example.com,name {i}\n" for i in range(20_000))
    tracemalloc.start()
    parsed = parse_csv(data.encode())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(parsed.recipients) == 20_000
    assert peak < 40 * len(data)


VALUES = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff"), max_size=30)
NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True), max_size=4, unique=True).filter(
    lambda names: not {"email", "mail", "address"} & set(names)
)


@settings(deadline=None)
@given(st.data(), NAMES, st.sampled_from([",", ";", "\t"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_what_csv_writes_is_read_back(data: st.DataObject, names: list[str], delimiter: str, encoding: str) -> None:
    rows = data.draw(st.lists(st.tuples(*[VALUES for _ in names]), min_size=1, max_size=8))
    sink = io.StringIO()
    writer = csv.writer(sink, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(["email", *names])
    for number, row in enumerate(rows):
        writer.writerow([f"r{number}@example.com", *row])
    parsed = parse_csv(sink.getvalue().encode(encoding))
    assert parsed.problems == ()
    for number, (recipient, row) in enumerate(zip(parsed.recipients, rows, strict=True)):
        assert recipient.variables == {"email": f"r{number}@example.com", **dict(zip(names, row, strict=True))}


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parsed = parse_csv(b"email,name\n" + data)
    except Refusal:
        return
    assert parsed.recipients or parsed.problems
