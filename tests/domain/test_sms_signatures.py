"""Texts of signatures, names and previews of templates."""

import pytest

from domain.errors import Refusal
from domain.sms import Market, SmsKind
from domain.sms_signatures import MAX_NOTE, bare, require_note, require_text
from domain.sms_templates import SmsContent, preview, require_name, sample_values
from domain.sms_users import require_name as require_user_name


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("送达科技", "送达科技"),
        (" 【送达科技】 ", "送达科技"),
        ("Songda2026", "Songda2026"),
        ("送达", "送达"),
        ("送" * 16, "送" * 16),
        ("7天酒店", "7天酒店"),
        ("三六零", "三六零"),
    ],
)
def test_good_texts(text: str, kept: str) -> None:
    assert require_text(text, Market.DOMESTIC) == kept == bare(kept)


@pytest.mark.parametrize(
    "text",
    ["", "  ", "【】", "送", "送" * 17, "123456", "１２", "①②", "²³", "送达【科技】", "[送达]", "送达 科技", "送达!",
     "送\x00达", "送达\ud800", "送达😀", "Ｓｏｎｇ", "a\u0301b", "送达\n", "送达-科技", "<b>"],
)  # fmt: skip
def test_bad_texts(text: str) -> None:
    if text == "送达\n":  # people paste line ends
        assert require_text(text, Market.DOMESTIC) == "送达"
        return
    with pytest.raises(Refusal) as refused:
        require_text(text, Market.DOMESTIC)
    assert refused.value.field == "text" and refused.value.code in ("required", "sms_signature_bad_text")


def test_words_abroad_have_blanks_between_them() -> None:
    assert require_text("Songda Mail", Market.INTERNATIONAL) == "Songda Mail"
    for text in ("Songda  Mail", "1 2", "Songda\tMail"):
        with pytest.raises(Refusal):
            require_text(text, Market.INTERNATIONAL)


def test_notes_have_an_end() -> None:
    assert require_note(" why \n") == "why"
    for text in ("x" * (MAX_NOTE + 1), "a\x00", "a\ud800"):
        with pytest.raises(Refusal) as refused:
            require_note(text)
        assert refused.value.field == "note"


@pytest.mark.parametrize(
    "name",
    ["", " ", "1001", "１２", "x" * 65, "a\nb", "a\x00b", "a\ud800", "01935b2e-7c1a-7eee-8000-3f5a9c0d1e2f",
     "sendCode-1001", "sendcode-1"],
)  # fmt: skip
def test_bad_names_of_templates(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        require_name(name)
    assert refused.value.field == "name"


@pytest.mark.parametrize("name", ["登录验证码", "order 2", "sendCode", "sendCode-x"])
def test_good_names_of_templates(name: str) -> None:
    assert require_name(f" {name} ") == name


def test_names_of_users() -> None:
    assert require_user_name(" shop_1 ") == "shop_1"


def test_a_preview_counts_what_is_sent() -> None:
    content = SmsContent(SmsKind.CODE, Market.DOMESTIC, "送达科技", "您的验证码是%code%。")
    shown = preview(content, {"%code%": "123456"})
    assert shown.text == "【送达科技】您的验证码是123456。"
    assert (shown.characters, shown.segments, shown.gsm, shown.missing) == (len(shown.text), 1, False, ())
    assert preview(content, {}).missing == ("code",)
    last = SmsContent(SmsKind.NOTICE, Market.DOMESTIC, "送达科技", "您好", signature_last=True)
    assert preview(last, {}).text == "您好【送达科技】"
    long = SmsContent(SmsKind.NOTICE, Market.DOMESTIC, "送达科技", "字" * 64)
    assert preview(long, {}).segments == 1
    assert preview(SmsContent(SmsKind.NOTICE, Market.DOMESTIC, "送达科技", "字" * 65), {}).segments == 2


def test_the_longest_values_are_counted_too() -> None:
    content = SmsContent(SmsKind.NOTICE, Market.DOMESTIC, "送达科技", "您好%a%%b%%c%")
    shown = preview(content, {"a": "1", "b": "2", "c": "3"})
    assert (shown.segments, shown.most_segments) == (1, 2)


def test_samples_look_like_their_names() -> None:
    content = SmsContent(SmsKind.NOTICE, Market.DOMESTIC, "x", "%code%%minutes%%send_date%%amount%%username%%other%")
    assert sample_values(content) == {
        "code": "123456", "minutes": "10", "send_date": "2026-12-01", "amount": "128.00", "username": "张小明",
        "other": "示例文字",
    }  # fmt: skip
    abroad = SmsContent(SmsKind.NOTICE, Market.INTERNATIONAL, "x", "%username%%other%")
    assert all(value.isascii() for value in sample_values(abroad).values())
