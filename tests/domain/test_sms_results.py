"""What a carrier's word means, SendCloud's codes, and what each failure does to its number (reference §7.7)."""

import datetime as dt

import pytest

from domain.sms_results import (
    BLOCKS,
    CARRIER_CODES,
    ResultCode,
    SmsReason,
    SmsScope,
    code_of,
    normal_code,
    result_of,
)

HOUR, NONE = dt.timedelta(hours=1), dt.timedelta()


@pytest.mark.parametrize(
    ("code", "lasts", "scope"),
    [
        (500, dt.timedelta(days=30), SmsScope.GLOBAL),
        (510, HOUR, SmsScope.GLOBAL),
        (520, HOUR, SmsScope.LOCAL),
        (530, NONE, None),
        (540, NONE, None),
        (550, HOUR, SmsScope.LOCAL),
        (560, HOUR, SmsScope.GLOBAL),
        (570, HOUR, SmsScope.GLOBAL),
        (580, NONE, None),
        (590, NONE, None),
    ],
)
def test_every_delivery_code_blocks_as_the_reference_says(
    code: int, lasts: dt.timedelta, scope: SmsScope | None
) -> None:
    block = BLOCKS[ResultCode(code)]
    assert block.lasts == lasts
    assert scope is None or block.scope is scope


def test_every_delivery_code_has_a_block_and_no_other_has() -> None:
    assert set(BLOCKS) == {code for code in ResultCode if code.is_delivery}


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (SmsReason.BLOCKED_GLOBAL, 410), (SmsReason.BLOCKED_LOCAL, 420), (SmsReason.OPTED_OUT, 430),
        (SmsReason.KEYWORD, 440), (SmsReason.VARIABLES, 450), (SmsReason.TOO_LONG, 460),
        (SmsReason.EMPTY_NUMBER, 500), (SmsReason.SUSPENDED, 510), (SmsReason.BLACKLISTED, 520), (SmsReason.BUSY, 530),
        (SmsReason.NO_ANSWER, 540), (SmsReason.INTERCEPTED, 550), (SmsReason.HANDSET, 560),
        (SmsReason.OUT_OF_AREA, 570), (SmsReason.SWITCHED_OFF, 580), (SmsReason.OTHER, 590),
        (SmsReason.EXPIRED, 590), (SmsReason.UNCERTAIN, 590), (SmsReason.NO_ROUTE, 400),
        ("hard.invalid_mailbox", 590), ("", 590), ("nonsense", 590),
    ],
)  # fmt: skip
def test_reasons_have_sendclouds_codes(reason: str, code: int) -> None:
    assert code_of(reason) == code


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("MK:0000", SmsReason.EMPTY_NUMBER), ("MK:0001", SmsReason.EMPTY_NUMBER), ("CB:0001", SmsReason.EMPTY_NUMBER),
        ("CB:0053", SmsReason.EMPTY_NUMBER), ("MA:0005", SmsReason.EMPTY_NUMBER), ("MA:0021", SmsReason.EMPTY_NUMBER),
        ("MK:0004", SmsReason.SUSPENDED), ("MK:0005", SmsReason.SUSPENDED), ("MK:0013", SmsReason.SUSPENDED),
        ("CB:0005", SmsReason.SUSPENDED), ("CB:0007", SmsReason.SUSPENDED), ("MI:0019", SmsReason.SUSPENDED),
        ("MI:0051", SmsReason.SUSPENDED),
        ("MK:0010", SmsReason.SWITCHED_OFF), ("MK:0012", SmsReason.SWITCHED_OFF), ("MK:0023", SmsReason.SWITCHED_OFF),
        ("MI:0024", SmsReason.SWITCHED_OFF), ("MI:0042", SmsReason.SWITCHED_OFF), ("MI:0076", SmsReason.SWITCHED_OFF),
        ("MI:0082", SmsReason.SWITCHED_OFF),
        ("MI:0052", SmsReason.OUT_OF_AREA), ("MI:0055", SmsReason.OUT_OF_AREA),
        ("MI:0017", SmsReason.HANDSET), ("MI:0022", SmsReason.HANDSET), ("MI:0029", SmsReason.HANDSET),
        ("MI:0099", SmsReason.HANDSET), ("MI:0208", SmsReason.HANDSET), ("MI:0209", SmsReason.HANDSET),
        ("MK:0208", SmsReason.HANDSET), ("MK:0209", SmsReason.HANDSET),
        ("MA:0001", SmsReason.BLACKLISTED), ("MA:0023", SmsReason.BLACKLISTED), ("HD:0001", SmsReason.BLACKLISTED),
        ("MBBLACK", SmsReason.BLACKLISTED), ("DBBLACK", SmsReason.BLACKLISTED), ("BLACK", SmsReason.BLACKLISTED),
        ("DB:0144", SmsReason.BLACKLISTED),
        ("MA:0002", SmsReason.INTERCEPTED), ("MA:0024", SmsReason.INTERCEPTED), ("MA:0025", SmsReason.INTERCEPTED),
        ("MK:0014", SmsReason.INTERCEPTED), ("MK:0115", SmsReason.INTERCEPTED), ("SIGFAIL", SmsReason.INTERCEPTED),
        ("SIGNBLOCKED", SmsReason.INTERCEPTED), ("KEYWORD", SmsReason.INTERCEPTED),
        ("BUSY", SmsReason.BUSY), ("NOANSWER", SmsReason.NO_ANSWER),
        ("MA:0022", SmsReason.OTHER), ("CA:0054", SmsReason.OTHER), ("MN:0001", SmsReason.OTHER),
        ("LT:0001", SmsReason.OTHER), ("MI:9999", SmsReason.OTHER), ("MK:9999", SmsReason.OTHER),
        ("", SmsReason.OTHER), ("000", SmsReason.OTHER), ("11", SmsReason.OTHER), ("什么", SmsReason.OTHER),
    ],
)  # fmt: skip
def test_a_carriers_error_code(error: str, reason: SmsReason) -> None:
    assert result_of("UNDELIV", error) is reason


def test_every_row_of_the_table_is_looked_at_above() -> None:
    (mark,) = [m for m in test_a_carriers_error_code.pytestmark if m.name == "parametrize"]  # type: ignore[attr-defined]
    assert set(CARRIER_CODES) <= {error for error, _ in mark.args[1]}


@pytest.mark.parametrize(
    ("state", "error", "reason"),
    [
        ("EXPIRED", "", SmsReason.EXPIRED),
        ("EXPIRED", "MI:0024", SmsReason.SWITCHED_OFF),
        ("UNDELIV", "", SmsReason.OTHER),
        ("REJECTD", "", SmsReason.OTHER),
        ("REJECTD", "MA:0002", SmsReason.INTERCEPTED),
        ("MK:0001", "", SmsReason.EMPTY_NUMBER),
        ("MK:0001", "000", SmsReason.EMPTY_NUMBER),
        ("MBBLACK", "", SmsReason.BLACKLISTED),
        ("REJECT", "XX:7777", SmsReason.OTHER),
        ("", "", SmsReason.OTHER),
    ],
)
def test_some_carriers_write_their_code_in_place_of_the_state(state: str, error: str, reason: SmsReason) -> None:
    assert result_of(state, error) is reason


@pytest.mark.parametrize(
    "written", ["MK:0001", "mk:0001", " MK0001 ", "MK-0001", "err:MK:0001", "ERR:mk0001", "MK:0001\0"]
)
def test_a_code_is_one_code_however_it_is_spelt(written: str) -> None:
    assert normal_code(written) == "MK:0001"


def test_only_a_carriers_proof_blocks_for_everybody_for_long() -> None:
    """A rejection without a reason, an unknown code or a missing report says nothing of the number."""
    for state in ("UNDELIV", "REJECTD", "EXPIRED", "DELETED", "UNKNOWN"):
        for error in ("", "ZZ:1234", "999"):
            assert not BLOCKS[code_of(result_of(state, error))].lasts
