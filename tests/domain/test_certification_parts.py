"""Every typed part: what is accepted, how it is stored, and what is refused, by name."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric, uscc

from domain.certification import CertificationKind, Part
from domain.certification_parts import PROVINCES, clean, clean_part, warnings
from domain.errors import Refusal

TODAY = dt.date(2026, 11, 23)
ID = "11010519491231002X"
USCC = "91110000600037341L"


def code(part: Part, text: str) -> str:
    with pytest.raises(Refusal) as caught:
        clean_part(part, text, TODAY)
    assert caught.value.field == part.value
    return caught.value.code


@pytest.mark.parametrize(
    "text", [ID, "11010519491231002x", " 110105 19491231 002X ", "１１０１０５１９４９１２３１００２Ｘ"]
)
def test_identity_numbers_are_normalised(text: str) -> None:
    assert clean_part(Part.ID_NUMBER, text, TODAY) == ID


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("1101051949123100", "id_number_malformed"),
        ("1101051949123100211", "id_number_malformed"),
        ("X10105194912310021", "id_number_malformed"),
        ("११०१०५१९४९१२३१००२X", "id_number_malformed"),
        ("110105194913310021", "id_number_birth_date"),
        ("110105199902300021", "id_number_birth_date"),
        ("110105202611240021", "id_number_birth_date"),
        ("110105000012310021", "id_number_birth_date"),
        ("110105194912310021", "id_number_check_digit"),
        ("110105194912310020", "id_number_check_digit"),
    ],
)
def test_wrong_identity_numbers_say_what_is_wrong(text: str, refused: str) -> None:
    assert code(Part.ID_NUMBER, text) == refused


@given(st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_of_an_identity_number_is_always_found(place: int, shift: int) -> None:
    wrong = str((int(ID[place], 36) + shift) % 10)
    if wrong != ID[place]:
        assert code(Part.ID_NUMBER, ID[:place] + wrong + ID[place + 1 :]).startswith("id_number")


def test_an_unknown_region_is_a_warning_only() -> None:
    body = "990101199001010"
    number = next(body + f"{n:02d}"[:2] + c for n in range(100) for c in "0123456789X" if _fits(body + f"{n:02d}" + c))
    assert clean_part(Part.ID_NUMBER, number, TODAY) == number
    assert warnings({Part.ID_NUMBER: number}) == [Part.ID_NUMBER]
    assert warnings({Part.ID_NUMBER: ID}) == []
    assert warnings({}) == []


def _fits(number: str) -> bool:
    return ric.calc_check_digit(number) == number[-1]


@pytest.mark.parametrize(
    "text", [USCC, "91110000600037341l", "9111 0000 6000 3734 1L", "９１１１００００６０００３７３４１Ｌ"]
)
def test_credit_codes_are_normalised(text: str) -> None:
    assert clean_part(Part.USCC, text, TODAY) == USCC


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("9111000060003734", "uscc_malformed"),
        ("91110000600037341O", "uscc_malformed"),
        ("9111000060003734IL", "uscc_malformed"),
        ("91A10000600037341L", "uscc_malformed"),
        ("91110000600037341K", "uscc_check_digit"),
        ("91110000600037314L", "uscc_check_digit"),
    ],
)
def test_wrong_credit_codes_say_what_is_wrong(text: str, refused: str) -> None:
    assert code(Part.USCC, text) == refused


def test_a_credit_code_may_begin_with_letters() -> None:
    """Rural cooperatives have N2 and so on (GB 32100, table 1); stdnum's own check knows digits only."""
    body = "N2420102MA4KXXXX1"
    assert clean_part(Part.USCC, body + uscc.calc_check_digit(body), TODAY)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("鄂ICP备12012345号", "鄂ICP备12012345号"),
        ("鄂ICP备12012345号-1", "鄂ICP备12012345号-1"),
        ("京ICP备2021012345号-12", "京ICP备2021012345号-12"),
        ("粤ICP备12012345号-1A", "粤ICP备12012345号-1A"),
        ("粤icp备12012345号-1a", "粤ICP备12012345号-1A"),
        (" 鄂 ICP 备 12012345 号－1 ", "鄂ICP备12012345号-1"),
        ("鄂ＩＣＰ备１２０１２３４５号", "鄂ICP备12012345号"),
        ("鄂ICP备12012345号—3", "鄂ICP备12012345号-3"),
        ("京ICP证030173号", "京ICP证030173号"),
        ("沪ICP证B2-20170001号", "沪ICP证B2-20170001号"),
    ],
)
def test_filing_numbers(text: str, stored: str) -> None:
    assert clean_part(Part.ICP_NUMBER, text, TODAY) == stored


@pytest.mark.parametrize(
    "text",
    [
        "ICP备12012345号",
        "国ICP备12012345号",
        "鄂ICP备1201234号",
        "鄂ICP备120123456号",
        "鄂ICP备12012345",
        "鄂ICP12012345号",
        "鄂ICP备12012345号-",
        "鄂ICP备12012345号-12345",
        "鄂ICP备12012345号x",
        "鄂ICP证12345号",
        "鄂公网安备42010002000001号",
    ],
)
def test_what_is_no_filing_number(text: str) -> None:
    assert code(Part.ICP_NUMBER, text) == "icp_malformed"


def test_every_province_may_file() -> None:
    assert len(PROVINCES) == len(set(PROVINCES)) == 31
    for province in PROVINCES:
        assert clean_part(Part.ICP_NUMBER, f"{province}ICP备12012345号", TODAY)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("www.Example.com", "https://www.example.com"),
        ("http://example.com/", "http://example.com"),
        ("HTTPS://Example.com:8443/shop?x=1#y", "https://example.com:8443/shop"),
        ("例子.中国", "https://xn--fsqu00a.xn--fiqs8s"),
    ],
)
def test_websites(text: str, stored: str) -> None:
    assert clean_part(Part.WEBSITE, text, TODAY) == stored


@pytest.mark.parametrize(
    "text",
    [
        "localhost",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://10.0.0.8:80",
        "ftp://example.com",
        "javascript:alert(1)",
        "javascript://example.com/%0aalert(1)",
        "http://user:pw@example.com",
        "http://exa mple.com",
        "http:///x",
        "com.cn",
        "http://example.com:99999",
        "http://" + "a" * 70 + ".com",
        "http://example.com/" + "a" * 200,
        "http://1.2.3",
        "http://[",
        "https://example.com/<script>",
        "mailto:a@example.com",
    ],
)
def test_what_is_no_website(text: str) -> None:
    assert code(Part.WEBSITE, text) == "website_malformed"


@pytest.mark.parametrize(
    ("text", "stored"),
    [("2026-11-23", "2026-11-23"), ("2030/01/02", "2030-01-02"), ("2030.01.02", "2030-01-02"), ("", ""),
     *((word, "long-term") for word in ("长期", " 长期有效 ", "long-term", "Long term"))],
)  # fmt: skip
def test_ends_of_documents(text: str, stored: str) -> None:
    assert clean_part(Part.VALID_UNTIL, text, TODAY) == stored


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("2026-11-22", "valid_until_past"),
        ("2030-02-30", "valid_until_malformed"),
        ("2030-1-2", "valid_until_malformed"),
        ("9999-12-31", "valid_until_malformed"),
        ("soon", "valid_until_malformed"),
    ],
)
def test_wrong_ends(text: str, refused: str) -> None:
    assert code(Part.VALID_UNTIL, text) == refused


@pytest.mark.parametrize("text", ["张三丰", "阿卜杜热合曼·买买提", "Ada  Lovelace", "武汉送达科技（集团）有限公司"])
def test_names(text: str) -> None:
    assert clean_part(Part.NAME, f" {text} ", TODAY) == " ".join(text.split())


@pytest.mark.parametrize("text", ["张", "123", "张\x00三", "张\u202e三", "张" * 101, "--"])
def test_what_is_no_name(text: str) -> None:
    assert code(Part.NAME, text) == "certification_bad_name"


def test_the_reason_for_no_website_says_something() -> None:
    said = "我们只有线下门店，邮件用于会员通知。\n请批准。"
    assert clean_part(Part.NO_WEBSITE_REASON, said, TODAY) == said
    assert code(Part.NO_WEBSITE_REASON, "没有") == "certification_reason_too_short"
    assert code(Part.NO_WEBSITE_REASON, "没" * 501) == "certification_text_too_long"


def test_only_parts_of_the_kind_are_taken_and_blank_ones_stay_blank() -> None:
    individual = CertificationKind.INDIVIDUAL
    assert clean(individual, {"name": "张三", "website": "  "}, TODAY) == {Part.NAME: "张三", Part.WEBSITE: ""}
    for name in ("uscc", "licence_number", "", "NAME"):
        with pytest.raises(Refusal) as caught:
            clean(individual, {name: "x"}, TODAY)
        assert caught.value.code == "certification_unknown_part"
