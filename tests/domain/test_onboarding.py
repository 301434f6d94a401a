"""Every legal and illegal move of the path, and where any order of facts leads."""

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.onboarding import (
    EMAIL_TRACK,
    OPEN,
    PRECONDITIONS,
    SMS_TRACK,
    TRANSITIONS,
    WITHDRAWALS,
    Change,
    Fact,
    Findings,
    Missing,
    SmsStage,
    Stage,
    Step,
    StepState,
    apply,
    email_states,
    missing_at,
    missing_step,
    sms_states,
    walk,
)
from domain.refusals import explain
from domain.step_texts import HINTS, MISSING, NAMES, PLACES, step_refusal

ORDER = ["register", "domain", "api_user", "template", "send", "certify", "pay", "done"]
FORWARD = {
    "email_confirmed": "register",
    "domain_usable": "domain",
    "api_user_ready": "api_user",
    "template_approved": "template",
    "first_delivered": "send",
    "certified": "certify",
    "paid": "pay",
}
BACK = {
    "email_withdrawn": "register",
    "domain_broken": "domain",
    "api_user_gone": "api_user",
    "template_gone": "template",
    "certification_expired": "certify",
}


def expected(stage: str, change: str) -> str:
    """The rule in words: a fact finishes its own step only; a withdrawal leads back to its step from any later one."""
    if FORWARD.get(change) == stage:
        return ORDER[ORDER.index(stage) + 1]
    if change in BACK and ORDER.index(BACK[change]) < ORDER.index(stage):
        return BACK[change]
    return stage


def test_the_words_above_name_every_stage_and_change() -> None:
    assert [stage.value for stage in Stage] == ORDER
    assert {change.value for change in Change} == {*FORWARD, *BACK}
    assert set(TRANSITIONS) == set(Stage)


@pytest.mark.parametrize(("stage", "change"), list(product(Stage, Change)))
def test_every_stage_and_change(stage: Stage, change: Change) -> None:
    after = apply(stage, change)
    assert after.value == expected(stage.value, change.value)
    legal = change in TRANSITIONS[stage]
    assert legal == (after is not stage), "a legal move moves, an illegal one does not"


FACTS = list(EMAIL_TRACK.values())
SETS = st.frozensets(st.sampled_from(FACTS))
LASTING = frozenset(FACTS) - set(WITHDRAWALS)


def first_missing(held: frozenset[Fact]) -> Stage:
    """The definition of the stage of a set of facts, said without the table."""
    return next((stage for stage, fact in EMAIL_TRACK.items() if fact not in held), Stage.DONE)


@given(SETS)
def test_from_the_start_the_facts_decide(held: frozenset[Fact]) -> None:
    assert walk(Stage.REGISTER, held)[-1] is first_missing(held)


@given(st.lists(st.tuples(st.sampled_from(FACTS), st.booleans()), max_size=40))
def test_any_order_of_facts_and_withdrawals_gives_the_stage_of_the_facts(story: list[tuple[Fact, bool]]) -> None:
    held: frozenset[Fact] = frozenset()
    stage = Stage.REGISTER
    for fact, holds in story:
        held = held | {fact} if holds or fact in LASTING else held - {fact}
        stage = walk(stage, held)[-1]
        assert stage is first_missing(held)


@given(st.sampled_from(Stage), SETS)
def test_a_walk_never_skips_a_step(start: Stage, held: frozenset[Fact]) -> None:
    path = [ORDER.index(stage.value) for stage in walk(start, held)]
    forward = path
    if len(path) > 1 and path[1] < path[0]:  # at most one leap back, and it comes first
        forward = path[1:]
    assert [after - before for before, after in pairwise(forward)] == [1] * (len(forward) - 1)


@given(st.sampled_from(Stage), SETS)
def test_a_second_walk_stays(start: Stage, held: frozenset[Fact]) -> None:
    end = walk(start, held)[-1]
    assert walk(end, held) == (end,)


def test_a_delivery_that_is_forgotten_sends_nobody_back() -> None:
    """Old messages are deleted one day; the step was taken all the same."""
    held = frozenset(FACTS[:4])
    assert walk(Stage.CERTIFY, held) == (Stage.CERTIFY,)
    assert email_states(Stage.CERTIFY, held)[Stage.SEND] is StepState.DONE


def test_a_broken_domain_leads_back_and_forward_again_step_by_step() -> None:
    held = frozenset(FACTS[:5])
    assert walk(Stage.CERTIFY, held - {Fact.DOMAIN_USABLE, Fact.API_USER_READY}) == (Stage.CERTIFY, Stage.DOMAIN)
    assert walk(Stage.DOMAIN, held) == (Stage.DOMAIN, Stage.API_USER, Stage.TEMPLATE, Stage.SEND, Stage.CERTIFY)


def test_states_of_a_customer_in_the_middle() -> None:
    held = frozenset({Fact.EMAIL_CONFIRMED, Fact.TEMPLATE_APPROVED})
    assert list(email_states(Stage.DOMAIN, held).items()) == [
        (Stage.REGISTER, StepState.DONE),
        (Stage.DOMAIN, StepState.CURRENT),
        (Stage.API_USER, StepState.LOCKED),
        (Stage.TEMPLATE, StepState.DONE),
        (Stage.SEND, StepState.LOCKED),
        (Stage.CERTIFY, StepState.NOT_OPEN),
        (Stage.PAY, StepState.NOT_OPEN),
    ]


def test_the_sms_track_is_shown_in_order_and_closed() -> None:
    assert list(sms_states(frozenset(Fact)).items()) == [(step, StepState.NOT_OPEN) for step in SmsStage]


def test_opening_a_step_takes_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.onboarding.OPEN", OPEN | {Stage.CERTIFY} | set(SmsStage))
    assert email_states(Stage.CERTIFY, frozenset(FACTS[:5]))[Stage.CERTIFY] is StepState.CURRENT
    states = list(sms_states(frozenset({Fact.ENTERPRISE_CERTIFIED})).values())
    assert states == [StepState.DONE, StepState.CURRENT, StepState.LOCKED, StepState.LOCKED, StepState.LOCKED]


@pytest.mark.parametrize(
    ("held", "wanted", "missing"),
    [
        (set(), Stage.REGISTER, None),
        (set(), Stage.DOMAIN, Stage.REGISTER),
        ({Fact.EMAIL_CONFIRMED}, Stage.DOMAIN, None),
        ({Fact.EMAIL_CONFIRMED}, Stage.TEMPLATE, None),
        ({Fact.EMAIL_CONFIRMED}, Stage.API_USER, Stage.DOMAIN),
        ({Fact.EMAIL_CONFIRMED}, Stage.SEND, Stage.DOMAIN),
        ({Fact.EMAIL_CONFIRMED, Fact.DOMAIN_USABLE}, Stage.SEND, Stage.API_USER),
        ({Fact.EMAIL_CONFIRMED, Fact.DOMAIN_USABLE, Fact.API_USER_READY}, Stage.SEND, Stage.TEMPLATE),
        (set(FACTS[:4]), Stage.SEND, None),
        (set(FACTS[:5]), Stage.PAY, Stage.CERTIFY),
        ({Fact.EMAIL_CONFIRMED, Fact.CERTIFIED}, Stage.PAY, None),
        (set(FACTS), SmsStage.USER, SmsStage.CERTIFY),
        ({Fact.EMAIL_CONFIRMED, Fact.ENTERPRISE_CERTIFIED}, SmsStage.TEMPLATE, SmsStage.PAY),
        ({Fact.EMAIL_CONFIRMED, Fact.ENTERPRISE_CERTIFIED, Fact.PAID}, SmsStage.SEND, SmsStage.USER),
        (set(FACTS), Stage.DONE, None),
    ],
)
def test_missing_step(held: set[Fact], wanted: Step, missing: Step | None) -> None:
    assert missing_step(frozenset(held), wanted) is missing


def test_preconditions_keep_the_order_of_their_track() -> None:
    assert set(PRECONDITIONS) == {*Stage, *SmsStage}
    for wanted, before in PRECONDITIONS.items():
        tracks: tuple[list[Step], ...] = (list(Stage), list(SmsStage))
        for track in tracks:
            places = [track.index(step) for step in before if step in track]
            assert places == sorted(places)
        if wanted not in (Stage.REGISTER, Stage.DONE):
            assert before[0] is Stage.REGISTER


def test_the_refusal_names_the_step_and_where_to_take_it() -> None:
    status, detail, step = explain(step_refusal(Stage.API_USER), "en")
    assert (status, detail) == (409, "The step “API user” must be finished first.")
    assert "/portal/api-users" in step
    assert "创建 API_USER" in explain(step_refusal(Stage.API_USER), "zh")[1]


def test_every_step_has_texts_in_both_languages() -> None:
    steps = {*EMAIL_TRACK, *SMS_TRACK}
    assert set(HINTS) == steps
    assert set(NAMES) == steps | {Stage.DONE}
    assert set(MISSING) == set(Missing)
    assert set(PLACES) == OPEN
    for zh, en in [*NAMES.values(), *MISSING.values(), *(hint for hints in HINTS.values() for hint in hints)]:
        assert any("\u4e00" <= character <= "\u9fff" for character in zh)
        assert en.isascii() or "“" in en
        assert max(en) < "\u4e00"


MIDDLE = frozenset({Fact.EMAIL_CONFIRMED})


@pytest.mark.parametrize(
    ("stage", "found", "missing"),
    [
        (Stage.REGISTER, Findings(), Missing.EMAIL_UNCONFIRMED),
        (Stage.DOMAIN, Findings(MIDDLE), Missing.NO_DOMAIN),
        (Stage.DOMAIN, Findings(MIDDLE, domains=1), Missing.DOMAIN_WAITS_FOR_DNS),
        (Stage.DOMAIN, Findings(MIDDLE, domains=2, domains_broken=1), Missing.DOMAIN_RECORD_BROKEN),
        (Stage.API_USER, Findings(MIDDLE), Missing.NO_API_USER),
        (Stage.API_USER, Findings(MIDDLE, api_users=1), Missing.API_USER_WITHOUT_DOMAIN),
        (Stage.TEMPLATE, Findings(MIDDLE), Missing.NO_TEMPLATE),
        (Stage.TEMPLATE, Findings(MIDDLE, templates=1), Missing.TEMPLATE_NOT_SUBMITTED),
        (Stage.TEMPLATE, Findings(MIDDLE, templates=1, templates_rejected=1), Missing.TEMPLATE_REJECTED),
        (
            Stage.TEMPLATE,
            Findings(MIDDLE, templates=1, templates_rejected=1, templates_in_review=1),
            Missing.TEMPLATE_IN_REVIEW,
        ),
        (Stage.SEND, Findings(MIDDLE), Missing.NOTHING_SENT),
        (Stage.SEND, Findings(MIDDLE, submissions=1, in_flight=True), Missing.NOTHING_DELIVERED_YET),
        (Stage.SEND, Findings(MIDDLE, submissions=1), Missing.SENDS_FAILED),
        (Stage.REGISTER, Findings(MIDDLE), None),
        (Stage.CERTIFY, Findings(MIDDLE), None),
        (Stage.DONE, Findings(MIDDLE), None),
    ],
)
def test_what_is_missing(stage: Stage, found: Findings, missing: Missing | None) -> None:
    assert missing_at(stage, found) is missing
