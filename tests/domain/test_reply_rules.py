"""The classifier's table: every row that ships decides something, words beat digits, and nothing makes it raise."""

from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refusal
from domain.refusals import explain
from domain.reply_rule_patterns import MAX_ALTERNATIVES, MAX_LENGTH, MAX_STARS, read_words
from domain.reply_rule_seeds import SEEDS, Seed, classify, shipped
from domain.reply_rules import (
    ACTIONS,
    REASONS,
    Decided,
    Pattern,
    ReplyRules,
    Rule,
    Verdict,
    check,
    read_pattern,
    read_verdict,
)
from domain.sending import OutcomeKind, Reason, Scope

D, B = OutcomeKind.DEFERRED, OutcomeKind.BOUNCED
QQ, BIZ, NE, SINA = "mx1.qq.com", "mxbiz1.qq.com", "163mx01.mxmail.netease.com", "freemx.sinamail.sina.com.cn"
GMAIL, OUTLOOK, ELSE = "gmail-smtp-in.l.google.com", "outlook-com.olc.protection.outlook.com", "mx.company.example"
MINE = Verdict(Reason.REFUSED, B, Scope.RECIPIENT)


def decided(seed: Seed) -> Decided:
    return shipped().decide(seed.host, int(seed.example[:3]), seed.example[4:])


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.key)
def test_each_row_decides_its_example(seed: Seed) -> None:
    """A row that another one hides would never decide anything."""
    found = decided(seed)
    assert found.rule is not None and found.rule.name == seed.key
    assert (found.outcome.reason, found.outcome.kind, found.outcome.scope) == astuple(seed.verdict)
    check(Rule(seed.key, seed.pattern, seed.verdict))


def test_keys_are_unique_and_rows_differ() -> None:
    assert len({seed.key for seed in SEEDS}) == len(SEEDS) == len({seed.pattern for seed in SEEDS})


@pytest.mark.parametrize(
    ("host", "code", "text", "reason", "kind", "scope"),
    [
        (QQ, 550, "Ip frequency limited", "soft.rate_limited", D, Scope.ADDRESS),
        (BIZ, 550, "Domain frequency limited [abc 1.2.3.4]", "soft.rate_limited", D, Scope.SENDER),
        (QQ, 550, "Sender frequency limited", "soft.rate_limited", D, Scope.SENDER),
        (QQ, 550, "Connection frequency limited", "soft.rate_limited", D, Scope.CONNECTION),
        (BIZ, 550, "Mailbox unavailable or access denied", "soft.rate_limited", D, Scope.RECIPIENT),
        (QQ, 550, "Mailbox not found", "hard.invalid_mailbox", B, Scope.RECIPIENT),
        (QQ, 550, "用户不存在", "hard.invalid_mailbox", B, Scope.RECIPIENT),
        (QQ, 550, "Mail content is denied", "block.content", B, Scope.CONTENT),
        (QQ, 550, "suspected spam ip", "block.ip", B, Scope.ADDRESS),
        (QQ, 501, "Bad address syntax", "hard.syntax", B, Scope.RECIPIENT),
        (NE, 421, "HL:REP 163 smtp10", "soft.rate_limited", D, Scope.ADDRESS),
        (NE, 421, "HL:ICC 163 smtp10", "soft.rate_limited", D, Scope.CONNECTION),
        (NE, 421, "HL:IFC 163 smtp10", "soft.rate_limited", D, Scope.ADDRESS),
        (NE, 421, "HL:MEP 163 smtp10", "block.auth", D, Scope.SENDER),
        (NE, 450, "MI:DMC", "soft.rate_limited", D, Scope.CONNECTION),
        (NE, 450, "MI:CCL", "soft.rate_limited", D, Scope.CONNECTION),
        (NE, 450, "DT:SPM", "block.content", D, Scope.CONTENT),
        (NE, 554, "DT:SPM", "block.content", B, Scope.CONTENT),
        (NE, 450, "DT:RBL", "block.ip", D, Scope.ADDRESS),
        (NE, 550, "MI:IMF", "block.auth", B, Scope.SENDER),
        (NE, 550, "User not found", "hard.invalid_mailbox", B, Scope.RECIPIENT),
        (SINA, 550, "mailbox unavailable", "hard.invalid_mailbox", B, Scope.RECIPIENT),
        (SINA, 550, "user is locked", "hard.disabled", B, Scope.RECIPIENT),
        (SINA, 550, "black ip", "block.ip", B, Scope.ADDRESS),
        (SINA, 554, "rbl deny", "block.ip", B, Scope.ADDRESS),
        (SINA, 552, "message rejected by anti-spam engine", "block.content", B, Scope.CONTENT),
        (SINA, 450, "mailbox unavailable", "soft.conn", D, Scope.RECIPIENT),
        (SINA, 451, "out of allow RCPT numbers", "soft.rate_limited", D, Scope.CONNECTION),
        (GMAIL, 550, "5.1.1 The email account does not exist", "hard.invalid_mailbox", B, Scope.RECIPIENT),
        (GMAIL, 421, "4.7.28 unusual rate", "soft.rate_limited", D, Scope.ADDRESS),
        (GMAIL, 550, "5.7.26 unauthenticated", "block.auth", B, Scope.SENDER),
        (GMAIL, 452, "4.2.2 out of storage", "soft.full", D, Scope.RECIPIENT),
        (OUTLOOK, 550, "5.7.515 Access denied", "block.auth", B, Scope.SENDER),
        (OUTLOOK, 550, "5.7.1 blocked by our list (S3140)", "block.ip", B, Scope.ADDRESS),
        (OUTLOOK, 421, "RP-002 slow", "soft.rate_limited", D, Scope.ADDRESS),
        ("mta5.am0.yahoodns.net", 421, "4.7.0 [TSS09] deferred", "soft.rate_limited", D, Scope.ADDRESS),
        (ELSE, 450, "4.7.1 Greylisted, please try again", "soft.greylist", D, Scope.RECIPIENT),
        (ELSE, 452, "4.2.2 Mailbox full, try again later", "soft.full", D, Scope.RECIPIENT),
        (ELSE, 552, "5.2.2 Mailbox full", "soft.full", B, Scope.RECIPIENT),
        (ELSE, 550, "User suspended", "hard.disabled", B, Scope.RECIPIENT),
        (ELSE, 550, "Invalid IP", "block.ip", B, Scope.ADDRESS),
        (ELSE, 550, "Requested mail action not taken: mailbox unavailable", "hard.invalid_mailbox", B, Scope.RECIPIENT),
        (ELSE, 554, "5.7.1 spam message", "block.content", B, Scope.CONTENT),
        (ELSE, 599, "what", "policy.other", B, Scope.RECIPIENT),
        (ELSE, 451, "local error", "soft.conn", D, Scope.CONNECTION),
    ],
)
def test_replies_are_classified(host: str, code: int, text: str, reason: str, kind: OutcomeKind, scope: Scope) -> None:
    outcome = classify(host, code, text)
    assert (outcome.reason, outcome.kind, outcome.scope) == (reason, kind, scope)
    assert (outcome.code, outcome.text, outcome.host) == (code, text, host)


@pytest.mark.parametrize(
    "host", ["mx.163yun.example", "smtp163.example", "mail.fake-netease.example", "mxqq.com.example"]
)
def test_a_number_in_a_name_makes_no_provider(host: str) -> None:
    """`163` is in many names; NetEase's rows are for NetEase's servers."""
    assert classify(host, 450, "DT:SPM").reason != Reason.CONTENT
    assert classify(host, 451, "MI:SFQ").reason != Reason.RATE_LIMITED


@pytest.mark.parametrize(
    ("pattern", "host", "fits"),
    [
        ("qq", "mxbiz2.qq.com", True),
        ("qq.com", "mxbiz2.qq.com", True),
        ("QQ.com", "MX1.QQ.COM.", True),
        ("qq.com", "qq.com", True),
        ("qq.com", "myqq.com", False),
        ("qq.com", "qq.com.evil.example", False),
        ("qq | mx.company.example", "a.mx.company.example", True),
        ("other", "mx.company.example", True),
        ("other", "mx1.qq.com", False),
        ("", "anything", True),
    ],
)
def test_providers_are_lanes_or_domains_label_by_label(pattern: str, host: str, fits: bool) -> None:
    rules = ReplyRules([Rule("mine", Pattern(provider=pattern, code="5xx"), MINE)])
    assert (rules.decide(host, 550, "no").rule is not None) is fits


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("rate", "the RATE is high", True),
        ("rate", "accurate", False),
        ("greylist", "greylisted", False),
        ("greylist*", "greylisted", True),
        ("*list", "blacklist", True),
        ("hl:", "hl:icc", True),
        ("too  many", "Too\r\n many", True),
        ("account*disabled", "account of a user was disabled", True),
        ("account*disabled", "disabled account", False),
        ("one|two", "two", True),
        ("停用", "该账号已停用。", True),
        ("a*a*a*b", "a" * 400, False),
        ("", "anything", True),
    ],
)
def test_words_are_whole_and_stars_stand_for_anything(pattern: str, text: str, fits: bool) -> None:
    rules = ReplyRules([Rule("mine", Pattern(code="5xx", text=pattern), MINE)])
    assert (rules.decide("mx", 550, text).rule is not None) is fits


@pytest.mark.parametrize(
    ("enhanced", "code", "text", "fits"),
    [
        ("5.1.1", 550, "5.1.1 no", True),
        ("5.1.1", 550, "no (#5.1.1)", True),
        ("5.1.1", 550, "5.1.10 no", False),
        ("5.7.*", 550, "5.7.26 no", True),
        ("*.2.2", 452, "4.2.2 full", True),
        ("4.1.1", 450, "5.1.1 no", True),
        ("5.1.1", 450, "5.1.1 no", False),
        ("5.7.1", 550, "4.7.1 no", True),
        ("5.1.1", 0, "5.1.1 smtp; no code", True),
        ("5.1.1", 0, "4.1.1 smtp; no code", False),
        ("5.1.1", 550, "no", False),
    ],
)
def test_an_enhanced_code_is_read_with_the_class_of_the_basic_code(
    enhanced: str, code: int, text: str, fits: bool
) -> None:
    rules = ReplyRules([Rule("mine", Pattern(enhanced=enhanced), MINE)])
    assert (rules.decide("mx", code, text).rule is not None) is fits


def test_what_the_server_said_is_kept_whatever_it_was_looked_up_as() -> None:
    assert classify("mx", 450, "5.1.1 no such user").enhanced == "5.1.1"
    assert classify("mx", 450, "5.1.1 no such user").kind is D, "the basic code decides whether it is for good"


def test_a_report_without_a_basic_code_is_read_by_its_status() -> None:
    assert classify("", 0, "5.1.1 user unknown").reason == Reason.INVALID_MAILBOX
    assert classify("", 0, "4.2.2 full").reason == Reason.FULL
    assert classify("", 0, "nothing said").kind is D


codes = st.one_of(st.integers(-1, 1000), st.sampled_from([0, 421, 450, 501, 550, 552, 554]))
hosts = st.one_of(st.text(), st.sampled_from([QQ, NE, SINA, GMAIL, ".", "." * 5000]))
texts = st.one_of(st.text(), st.text(alphabet="5.14 :|*HLa用\udc80\0\r\n"), st.builds(lambda t: t * 3000, st.text()))


@given(host=hosts, code=codes, text=texts)
def test_no_reply_makes_it_raise(host: str, code: int, text: str) -> None:
    outcome = classify(host, code, text)
    assert outcome.kind in ACTIONS and outcome.scope and len(outcome.text) <= 500 and len(outcome.host) <= 255
    outcome.text.encode()


@given(
    seed=st.sampled_from(SEEDS),
    text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60),
    at=st.integers(0, len(SEEDS)),
)
def test_the_first_row_that_fits_decides(seed: Seed, text: str, at: int) -> None:
    """A row for everything, put anywhere, decides exactly what no row before it does."""
    rules = [Rule(each.key, each.pattern, each.verdict) for each in SEEDS]
    ours = Rule("mine", Pattern(code="4xx|5xx"), MINE)
    code, words = int(seed.example[:3]), f"{seed.example[4:]} {text}"
    before = shipped().decide(seed.host, code, words).rule
    now = ReplyRules([*rules[:at], ours, *rules[at:]]).decide(seed.host, code, words).rule
    assert before is not None and now is not None
    place = [each.name for each in rules].index(before.name)
    assert now.name == (before.name if place < at else "mine")


@pytest.mark.parametrize(
    ("pattern", "code", "field"),
    [
        (Pattern(provider="163"), "reply_rule_provider_unknown", "provider"),
        (Pattern(provider="*.qq.com"), "reply_rule_provider_unknown", "provider"),
        (Pattern(provider="qq||sina"), "reply_rule_alternatives", "provider"),
        (Pattern(enhanced="5.1"), "reply_rule_enhanced_malformed", "enhanced"),
        (Pattern(enhanced="2.1.1"), "reply_rule_enhanced_malformed", "enhanced"),
        (Pattern(code="250"), "reply_rule_code_malformed", "code"),
        (Pattern(code="5x0"), "reply_rule_code_malformed", "code"),
        (Pattern(code="5"), "reply_rule_code_malformed", "code"),
        (Pattern(text="*"), "reply_rule_text_malformed", "text"),
        (Pattern(text="*".join("abcdefghij")), "reply_rule_text_malformed", "text"),
        (Pattern(text="a|"), "reply_rule_alternatives", "text"),
        (Pattern(text="|".join("ab" * MAX_ALTERNATIVES)), "reply_rule_alternatives", "text"),
        (Pattern(text="x" * (MAX_LENGTH + 1)), "text_too_long", "text"),
        (Pattern(), "reply_rule_fits_all", "text"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused_at_its_field(pattern: Pattern, code: str, field: str) -> None:
    with pytest.raises(Refusal) as caught:
        check(Rule("mine", pattern, MINE))
    assert (caught.value.code, caught.value.field) == (code, field)
    assert all(all(explain(caught.value, language)[1:]) for language in ("zh", "en"))


def test_signs_of_regular_expressions_are_letters_like_others() -> None:
    assert "*".join("abcdefghi").count("*") == MAX_STARS
    words = read_words(r"(a+)+$ [x|.*(?=")
    assert words is not None and words.fit("so (a+)+$ [x said") and not words.fit("aaaaaaaaaaaaaaaaaaaaaaaaaaa!")


def test_a_hard_class_is_for_good() -> None:
    with pytest.raises(Refusal, match="reply_rule_hard_is_for_good"):
        check(Rule("mine", Pattern(code="450"), Verdict(Reason.INVALID_MAILBOX, D, Scope.RECIPIENT)))


@pytest.mark.parametrize(
    ("reason", "action", "scope", "field"),
    [
        ("soft.odd", "bounced", "recipient", "reason"),
        ("expired", "bounced", "recipient", "reason"),
        ("soft.full", "delivered", "recipient", "action"),
        ("soft.full", "bounced", "everybody", "scope"),
    ],
)
def test_a_verdict_is_one_of_the_choices(reason: str, action: str, scope: str, field: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_verdict(reason, action, scope)
    assert (caught.value.code, caught.value.field) == ("reply_rule_choice_unknown", field)


def test_what_is_typed_is_kept_with_single_spaces() -> None:
    assert read_pattern(" qq ", "", " 5xx", " Ip\n  Frequency ") == Pattern("qq", "", "5xx", "Ip Frequency")
    assert {"hard.invalid_mailbox", "block.domain", "policy.refused"} <= set(REASONS)
    assert Reason.EXPIRED not in REASONS and Reason.UNCERTAIN not in REASONS
