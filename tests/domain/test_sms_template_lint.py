"""What is found in SMS templates; each case can be had by one change of a text without findings."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.reviews import ReviewState
from domain.sms import Market, SmsKind
from domain.sms_template_findings import WORDS
from domain.sms_template_lint import ChosenSignature, lint, unstorable
from domain.sms_templates import MAX_SAVED, SmsContent
from domain.template_lint import errors

CODE, NOTICE, MARKETING = SmsKind.CODE, SmsKind.NOTICE, SmsKind.MARKETING
NAME = "送达科技"


def found(
    kind: SmsKind,
    text: str,
    market: Market = Market.DOMESTIC,
    state: ReviewState = ReviewState.APPROVED,
) -> list[str]:
    content = SmsContent(kind, market, NAME, text)
    return [finding.code for finding in lint(content, ChosenSignature(NAME, state, market))]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (CODE, "您的验证码是%code%，10分钟内有效。"),
        (CODE, "%verify_code%是您的验证码，%minutes%分钟内有效。"),
        (NOTICE, "您好%name%，您的订单%order-no%已发货。"),
        (NOTICE, "上涨了50%，另有5%待定。"),
        (NOTICE, "第一行\n第二行"),
        (MARKETING, "新品上市，欢迎选购。拒收请回复R"),
        (MARKETING, "新品上市，欢迎选购。退订回T"),
        (MARKETING, "新品上市，欢迎选购，回复TD退订"),
        (MARKETING, "新品上市，欢迎选购。拒收请回复R。"),
        (MARKETING, "新品上市，欢迎选购，回复td退订"),
        (NOTICE, "您乘坐的飞机CA1831延误，可参加微信抽奖。"),
        (NOTICE, "给您添了大麻烦，我们会代考虑退换，令人印象深刻章节见附页。"),
    ],
)
def test_good_ones(kind: SmsKind, text: str) -> None:
    assert found(kind, text) == []


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        (NOTICE, "", "no_content"),
        (NOTICE, " \n ", "no_content"),
        (NOTICE, "a\x00b", "bad_character"),
        (NOTICE, "a\x1bb", "bad_character"),
        (NOTICE, "a\ud83d", "bad_character"),
        (NOTICE, "字" * 600, "too_long"),
        (NOTICE, "字" * 400 + "%a%%b%%c%%d%", "may_be_too_long"),
        (NOTICE, "字" * 100, "several_segments"),
        (NOTICE, "【他人】您好", "signature_in_text"),
        (NOTICE, "您好】", "signature_in_text"),
        (NOTICE, "订单%名称%", "bad_name"),
        (NOTICE, "订单%-a%", "bad_name"),
        (NOTICE, "订单%" + "a" * 33 + "%", "long_name"),
        (NOTICE, "订单%order已发货", "unclosed"),
        (NOTICE, "%Name%和%name%", "look_alike"),
        (CODE, "您的验证码", "code_without_variable"),
        (CODE, "%minutes%分钟内有效", "code_without_variable"),
        (CODE, "%code%是%name%的验证码", "code_variables"),
        (CODE, "%code%，%minutes%分钟，至%time%", "code_variables"),
        (CODE, "您的验证码是%code%。" + "请勿告诉他人。" * 12, "code_too_long"),
        (CODE, "验证码%code%，见 http://a.cn", "code_link"),
        (CODE, "验证码%code%，见 a.example.com/x", "code_link"),
        (NOTICE, "见 https://shop.example.com/o", "link"),
        (NOTICE, "见 https://shop.example.com/%path%", "link_variable"),
        (NOTICE, "见 %url%", "link_variable"),
        (NOTICE, "见 %order_link%", "link_variable"),
        (MARKETING, "新品上市", "no_opt_out"),
        (MARKETING, "新品上市，不想收到请致电我们", "no_opt_out"),
        (MARKETING, "新品上市，回复R1退订", "no_opt_out"),
        (MARKETING, "拒收请回复R，另外我们的新店也在本周六开业了", "opt_out_not_last"),
        (NOTICE, "您的订单已发货。拒收请回复R", "opt_out"),
        (CODE, "验证码%code%，退订回T", "opt_out"),
        (NOTICE, "您的会员日全场八折", "advertising"),
        (NOTICE, "请加微信abc12345", "contact_id"),
        (NOTICE, "QQ：12345678", "contact_id"),
        (NOTICE, "ＱＱ 1 2 3", ""),
        (NOTICE, "加 微 信领取", "contact_id"),
        (NOTICE, "飞机：songda88", "contact_id"),
        (NOTICE, "请致电13800138000", "phone_number"),
        (NOTICE, "请致电010-12345678", "phone_number"),
        (NOTICE, "本店有六合彩", "forbidden"),
        (NOTICE, "本店有六 合-彩", "forbidden"),
        (NOTICE, "代开发票请联系", "forbidden"),
        (NOTICE, "专业代 考、大麻", "forbidden"),
        (MARKETING, "低息贷款。拒收请回复R", "forbidden_in_marketing"),
        (MARKETING, "低息贷 款。拒收请回复R", "forbidden_in_marketing"),
    ],
)
def test_each_finding(kind: SmsKind, text: str, code: str) -> None:
    codes = found(kind, text)
    assert (code in codes) if code else codes == []


@pytest.mark.parametrize("text", ["Sale today. Reply STOP to opt out", "Sale today, unsubscribe: text STOP"])
def test_marketing_abroad_says_stop(text: str) -> None:
    assert found(MARKETING, text, Market.INTERNATIONAL) == []
    assert found(MARKETING, "Sale today.", Market.INTERNATIONAL) == ["no_opt_out_abroad"]
    assert "no_opt_out" in found(MARKETING, text)


@pytest.mark.parametrize("state", [state for state in ReviewState if state is not ReviewState.APPROVED])
def test_the_signature_has_to_be_approved(state: ReviewState) -> None:
    assert found(NOTICE, "您好", state=state) == ["signature_not_approved"]


def test_the_signature_is_of_the_templates_market() -> None:
    content = SmsContent(NOTICE, Market.DOMESTIC, NAME, "您好")
    abroad = ChosenSignature(NAME, ReviewState.APPROVED, Market.INTERNATIONAL)
    assert [finding.code for finding in lint(content, abroad)] == ["signature_market"]
    assert [finding.code for finding in lint(content, None)] == ["no_signature"]


def test_what_cannot_even_be_saved() -> None:
    long = SmsContent(NOTICE, Market.DOMESTIC, NAME, "字" * (MAX_SAVED + 1))
    assert [finding.code for finding in unstorable(long)] == ["too_large"]
    assert unstorable(SmsContent(NOTICE, Market.DOMESTIC, NAME, "字" * MAX_SAVED)) == []
    (bad,) = unstorable(SmsContent(NOTICE, Market.DOMESTIC, NAME, "a\nb\x00"))
    assert (bad.line, "U+0000" in bad.en, "第 2 行" in bad.zh) == (2, True, True)


def test_errors_come_first_and_every_finding_has_both_languages() -> None:
    content = SmsContent(MARKETING, Market.DOMESTIC, NAME, "字" * 100 + "贷款【")
    findings = lint(content, ChosenSignature(NAME, ReviewState.DRAFT, Market.DOMESTIC))
    severe = errors(findings)
    assert findings[: len(severe)] == severe and 0 < len(severe) < len(findings)
    assert all("{" not in finding.zh + finding.en for finding in findings)
    assert all(finding.code in WORDS and finding.zh != finding.en for finding in findings)


@given(st.text(max_size=300), st.sampled_from(SmsKind), st.sampled_from(Market))
def test_any_text_is_judged(text: str, kind: SmsKind, market: Market) -> None:
    content = SmsContent(kind, market, NAME, text)
    for finding in lint(content, ChosenSignature(NAME, ReviewState.APPROVED, market)):
        assert finding.zh and finding.en


@pytest.mark.parametrize("market", Market)
@pytest.mark.parametrize(
    "unit",
    ["%", "a.", "贷 ", "微信", "http://", "%a", "0", " ", "\n", "\u3000", "拒收" + " " * 300, "qq" + " " * 300, "a-",
     "reply ", "请 直接 "],
)  # fmt: skip
def test_hostile_repeats_cost_no_time(unit: str, market: Market) -> None:
    """2,000 characters that could make a careless pattern go back over and over: while one does, its process does
    nothing else."""
    content = SmsContent(MARKETING, market, NAME, "好" + (unit * 2_000)[:1_998] + "好")
    began = time.process_time()
    lint(content, None)
    assert time.process_time() - began < 1.0
