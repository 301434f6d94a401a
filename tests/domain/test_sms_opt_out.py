"""Every spelling of an opt-out, and what only looks like one."""

import pytest

from domain.sms_opt_out import WORDS, opt_out_word


@pytest.mark.parametrize("word", ["R", "T", "TD", "N", "退订", "拒收", "退訂", "STOP"])
@pytest.mark.parametrize(
    "around",
    ["{}", " {} ", "{}。", "{}！", "{}!!", "{}.", "\t{}\r\n", "“{}”", "【{}】", "\u200b{}\u200b", "\ufeff{}", "{}\0",
     "{}～", "　{}　", "{}，", "({})", "回{}"],
)  # fmt: skip
def test_a_word_alone_opts_out_in_any_dress(word: str, around: str) -> None:
    written = around.format(word)
    expected = "" if around == "回{}" else word.lower()
    assert opt_out_word(written) == expected


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("td", "td"), ("Td", "td"), ("ＴＤ", "td"), ("ｔｄ", "td"), ("Ｒ", "r"), ("ｎ。", "n"), ("T D", "td"),
        ("退 订", "退订"), ("退订", "退订"), ("ｒ．", "r"), ("stop", "stop"), ("Ⓡ", "r"),
    ],
)  # fmt: skip
def test_width_case_and_blanks_do_not_count(written: str, word: str) -> None:
    assert opt_out_word(written) == word


@pytest.mark.parametrize(
    "written",
    [
        "", " ", "。", "1", "好的", "拒收请回复R", "退订回T", "回复TD退订", "我要退订", "退订吗？", "TD吗", "RR",
        "TDD", "NO", "Not now", "T恤多少钱", "R" * 200, "R" + "。" * 200, "\u200b", "【送达科技】新品八折，拒收请回复R",
        "请勿退订", "Y",
    ],
)  # fmt: skip
def test_what_is_more_than_a_word_is_none(written: str) -> None:
    assert opt_out_word(written) == ""


def test_the_words_are_as_they_are_compared() -> None:
    assert all(opt_out_word(word) == word for word in WORDS)
