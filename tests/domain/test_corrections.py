"""What a report does to an outcome, and what it says of a message, without a database."""

from itertools import product

import pytest

from domain.corrections import FORWARD, Effect, Facts, bounce_reason, effect_on, masked, proves_dead
from domain.reports import Report, Reported, ReportKind
from domain.sending import MessageState, Outcome, OutcomeKind, Reason

ORDER = (MessageState.UNKNOWN, MessageState.DELIVERED, MessageState.BOUNCED)
OURS = "li.lei@shop.test"


@pytest.mark.parametrize(("kind", "state"), list(product(ReportKind, MessageState)))
def test_outcomes_move_forwards_and_only_what_would_move_one_waits(kind: ReportKind, state: MessageState) -> None:
    effect, to = effect_on(Facts(kind), state), FORWARD.get((kind, state))
    if to is not None:
        assert effect is Effect.CORRECTED and ORDER.index(to) > ORDER.index(state)
    elif kind is ReportKind.COMPLAINT:
        assert effect is Effect.COMPLAINED
    elif state is MessageState.QUEUED and kind in (ReportKind.BOUNCE, ReportKind.DELIVERED):
        assert effect is Effect.WAITING
    else:
        assert effect is Effect.NOTED


def facts(*recipients: Reported, kind: ReportKind = ReportKind.BOUNCE) -> Facts:
    return Facts.of(Report(kind, recipients), OURS)


def test_the_part_about_our_recipient_counts() -> None:
    other = Reported("han@shop.test", "failed", "5.1.1", 550, "no such user", "mx")
    ours = Reported("Li.Lei@shop.test", "delayed", "4.2.2", 452, "full", "mx")
    assert (facts(other, ours).kind, facts(other, ours).status) == (ReportKind.DELAY, "4.2.2")
    assert (facts(other).kind, facts(other).is_ours) == (ReportKind.BOUNCE, False)
    nobody = Reported("", "failed", "5.1.1")
    assert (facts(nobody).is_ours, facts().is_ours, facts().status) == (None, None, "")
    assert facts(Reported("x@y.test", "delivered", "2.0.0"), other).status == "5.1.1"


@pytest.mark.parametrize(
    ("status", "code", "said", "reply"),
    [
        ("5.1.1", 550, "no such user", (550, "5.1.1 no such user")),
        ("5.1.1", 550, "550 5.1.1 no such user", (550, "5.1.1 no such user")),
        ("5.1.1", 0, "no such user", (0, "5.1.1 no such user")),
        ("", 0, "we are sorry", (550, " we are sorry")),
        ("5.0.0", 250, "queued, then not", (0, "5.0.0 queued, then not")),
    ],
)
def test_what_a_classifier_is_asked(status: str, code: int, said: str, reply: tuple[int, str]) -> None:
    found = facts(Reported(OURS, "failed", status, code, said)).reply
    assert (found[0], found[1].strip()) == (reply[0], reply[1].strip())


@pytest.mark.parametrize(
    ("status", "code", "reason", "why"),
    [
        ("4.4.7", 0, Reason.CONN, Reason.EXPIRED),
        ("4.2.1", 450, Reason.GREYLIST, Reason.EXPIRED),
        ("5.0.0", 451, Reason.CONN, Reason.EXPIRED),
        ("5.0.0", 0, Reason.CONN, Reason.OTHER),
        ("4.2.2", 452, Reason.FULL, Reason.FULL),
        ("5.1.1", 550, Reason.INVALID_MAILBOX, Reason.INVALID_MAILBOX),
    ],
)
def test_a_server_that_gave_up_had_only_to_wait(status: str, code: int, reason: Reason, why: Reason) -> None:
    outcome = Outcome(OutcomeKind.DEFERRED, reason, code)
    assert bounce_reason(facts(Reported(OURS, "failed", status, code)), outcome) == why


@pytest.mark.parametrize(("is_ours", "proved"), [(True, True), (False, False), (None, False)])
def test_only_our_own_recipient_is_proved_dead(is_ours: bool | None, proved: bool) -> None:
    assert proves_dead(Facts(ReportKind.BOUNCE, is_ours), Reason.INVALID_MAILBOX) is proved
    assert not proves_dead(Facts(ReportKind.BOUNCE, True), Reason.FULL)


def test_addresses_are_masked_wherever_they_stand() -> None:
    said = masked("550 <li@a.test>: unknown (li=a.test@relay.test; rfc822;HAN@b.test)\r\nmailto:x+y@c.test\0")
    assert not {"li@a.test", "HAN@b.test", "x+y@c.test"} & set(said.replace("<", " ").split()) and "\0" not in said
    assert said.count("***@") == 4
