"""The records to publish, and how those found compare."""

import pytest

from domain.dns import DnsAnswer, DnsResult
from domain.domain_records import (
    Finding,
    Hint,
    compare,
    expected_records,
    merged_spf,
    tokens_in,
    txt_strings,
    with_claims,
)
from domain.domains import NEEDED, Purpose, RecordState
from tests.dns_world import KEY, POLICY

EXPECTED = {r.purpose: r for r in expected_records("shop.example", "t0ken", "songda-1", KEY, POLICY)}
OK, WRONG, MISSING = RecordState.OK, RecordState.WRONG, RecordState.MISSING


def look(purpose: Purpose, *values: str) -> tuple[RecordState, Hint]:
    answer = DnsAnswer(DnsResult.FOUND if values else DnsResult.NO_NAME, values)
    finding = compare(EXPECTED[purpose], answer)
    return finding.state, finding.hint


def test_the_records_to_publish() -> None:
    assert [(r.purpose, r.name, r.type, r.value) for r in EXPECTED.values()] == [
        ("ownership", "_songda-challenge.shop.example", "TXT", "songda-account=t0ken"),
        ("spf", "shop.example", "TXT", "v=spf1 include:spf.songda.example -all"),
        ("dkim", "songda-1._domainkey.shop.example", "TXT", f"v=DKIM1; k=rsa; p={KEY}"),
        ("dmarc", "_dmarc.shop.example", "TXT", "v=DMARC1; p=none"),
        ("mx", "bounce.shop.example", "MX", "10 bounce.songda.example"),
        ("tracking", "track.shop.example", "CNAME", "track.songda.example"),
    ]
    assert {Purpose.OWNERSHIP, Purpose.SPF, Purpose.DKIM} == NEEDED


@pytest.mark.parametrize("purpose", list(Purpose))
def test_what_we_ask_for_is_what_we_accept(purpose: Purpose) -> None:
    assert look(purpose, EXPECTED[purpose].value) == (OK, Hint.NONE)
    assert look(purpose) == (MISSING, Hint.NONE)


@pytest.mark.parametrize("result", [DnsResult.TIMEOUT, DnsResult.SERVER_FAILURE])
def test_silence_is_not_absence(result: DnsResult) -> None:
    finding = compare(EXPECTED[Purpose.SPF], DnsAnswer(result))
    assert finding == Finding(Purpose.SPF, RecordState.UNREACHABLE)


@pytest.mark.parametrize(
    ("values", "state", "hint"),
    [
        (["google-site-verification=1", "v=spf1 include:_spf.other.example Include:SPF.songda.example. ~all"], OK, ""),
        (["V=SPF1 +include:spf.songda.example -all"], OK, ""),
        (["v=spf1 include:spf.songda.example"], OK, ""),
        (["v=spf10 include:spf.songda.example -all"], MISSING, ""),
        (["v=spf1 include:_spf.other.example -all"], WRONG, "include-missing"),
        (["v=spf1 -include:spf.songda.example ~all"], WRONG, "include-missing"),
        (["v=spf1 include:spf.songda.example.org -all"], WRONG, "include-missing"),
        (["v=spf1 -all include:spf.songda.example"], WRONG, "include-after-all"),
        (["v=spf1 include:spf.songda.example -all", "v=spf1 mx -all"], WRONG, "several"),
    ],
)
def test_spf(values: list[str], state: RecordState, hint: str) -> None:
    assert look(Purpose.SPF, *values) == (state, hint)


@pytest.mark.parametrize(
    ("values", "state", "hint"),
    [
        ([f"p={KEY}"], OK, ""),
        ([f"v=DKIM1;k=rsa;t=s;p={KEY[:200]} {KEY[200:]};"], OK, ""),
        ([f"v=DKIM1; h=sha1:sha256; p={KEY}"], OK, ""),
        ([f"v=DKIM1; k=rsa; p={KEY[:-1]}y"], WRONG, "key-differs"),
        ([f"v=DKIM1; k=rsa; p={KEY[:255]}"], WRONG, "key-differs"),
        ([f"v=DKIM1; k=ed25519; p={KEY}"], WRONG, "key-differs"),
        ([f"v=DKIM1; k=rsa; p={KEY.lower()}"], WRONG, "key-differs"),
        (["v=DKIM1; k=rsa; p="], WRONG, "key-revoked"),
        ([f"v=DKIM1; h=sha1; p={KEY}"], WRONG, "not-sha256"),
        ([f"v=DKIM1; p={KEY}", "v=DKIM1; p=other"], WRONG, "several"),
        (["hello"], MISSING, ""),
    ],
)
def test_dkim(values: list[str], state: RecordState, hint: str) -> None:
    assert look(Purpose.DKIM, *values) == (state, hint)


@pytest.mark.parametrize(
    ("values", "state", "hint"),
    [
        (["v=DMARC1; p=reject; rua=mailto:d@shop.example"], OK, ""),
        (["v = DMARC1 ; p = Quarantine"], OK, ""),
        (["v=DMARC1; rua=mailto:d@shop.example"], WRONG, "policy-missing"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], WRONG, "several"),
        (["spf2.0/pra"], MISSING, ""),
    ],
)
def test_dmarc(values: list[str], state: RecordState, hint: str) -> None:
    assert look(Purpose.DMARC, *values) == (state, hint)


def test_mail_exchanger_and_alias() -> None:
    assert look(Purpose.MX, "5 mx.other.example", "50 bounce.songda.example") == (OK, "")
    assert look(Purpose.MX, "10 mx.other.example") == (WRONG, "other-target")
    assert look(Purpose.TRACKING, "shop.other.example") == (WRONG, "other-target")


def test_what_was_found_is_shown_without_the_domains_other_texts() -> None:
    texts = ("google-site-verification=1", "v=spf1 -all")
    assert compare(EXPECTED[Purpose.SPF], DnsAnswer(DnsResult.FOUND, texts)).found == ("v=spf1 -all",)
    assert compare(EXPECTED[Purpose.SPF], DnsAnswer(DnsResult.FOUND, texts[:1])).found == ()
    assert compare(EXPECTED[Purpose.DKIM], DnsAnswer(DnsResult.FOUND, ("hello",))).found == ("hello",)


def ownership(*tokens: str) -> Finding:
    values = tuple(f"songda-account={token}" for token in tokens)
    return compare(EXPECTED[Purpose.OWNERSHIP], DnsAnswer(DnsResult.FOUND, values))


@pytest.mark.parametrize(
    ("published", "holder", "others", "state", "hint"),
    [
        (["t0ken"], None, [], OK, ""),
        (["t0ken"], "a", ["a", "b"], OK, ""),
        (["t0ken", "b"], "a", ["a", "b"], OK, ""),
        (["t0ken", "b"], None, ["b"], OK, ""),
        (["t0ken", "a"], "a", ["a"], RecordState.CLAIMED, "held-by-other"),
        (["a"], "a", ["a"], RecordState.CLAIMED, "other-token"),
        (["b"], None, ["b"], RecordState.CLAIMED, "other-token"),
        (["nobodys"], "a", ["a"], WRONG, "other-token"),
    ],
)
def test_whose_name_it_is(
    published: list[str], holder: str | None, others: list[str], state: RecordState, hint: str
) -> None:
    judged = with_claims(ownership(*published), holder, others)
    assert (judged.state, judged.hint) == (state, hint)


def test_silence_claims_nothing() -> None:
    silent = compare(EXPECTED[Purpose.OWNERSHIP], DnsAnswer(DnsResult.TIMEOUT))
    assert with_claims(silent, "a", ["a"]) == silent


def test_tokens_among_other_texts() -> None:
    assert tokens_in(["x", " songda-account=1 ", "songda-account=2"]) == ["1", "2"]


def test_an_spf_record_that_is_there_is_extended() -> None:
    expected = EXPECTED[Purpose.SPF].value
    for found in ("v=spf1 mx include:a.example ~all", "v=spf1 mx include:a.example ~all include:spf.songda.example"):
        merged = merged_spf(found, expected)
        assert merged == "v=spf1 include:spf.songda.example mx include:a.example ~all"
        assert look(Purpose.SPF, merged) == (OK, "")


def test_long_values_are_split_for_zone_files() -> None:
    value = EXPECTED[Purpose.DKIM].value
    pieces = txt_strings(value).split('" "')
    assert [len(piece.strip('"')) for piece in pieces] == [255, len(value) - 255]
    assert txt_strings('a"b\\c') == '"a\\"b\\\\c"'
