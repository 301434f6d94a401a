"""Every legal and illegal move of both tracks, and where any order of facts leads."""

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.onboarding import (
    EMAIL_TRACK,
    PRECONDITIONS,
    SMS_TRACK,
    Fact,
    SmsStage,
    Stage,
    Step,
    StepState,
    email_states,
    missing_step,
    sms_states,
)
from domain.onboarding_findings import Findings, Missing, missing_at
from domain.onboarding_moves import (
    SMS_TRANSITIONS,
    TRANSITIONS,
    Change,
    SmsChange,
    Standing,
    apply,
    apply_sms,
    walk,
    walk_sms,
)
from domain.refusals import explain
from domain.step_texts import DETAILED, HINTS, MISSING, NAMES, PLACES, step_refusal

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


SMS_ORDER = ["sms_certify", "sms_pay", "sms_user", "sms_template", "sms_send", "sms_done"]
SMS_FORWARD = {
    "enterprise_certified": "sms_certify",
    "paid": "sms_pay",
    "sms_user_ready": "sms_user",
    "sms_template_approved": "sms_template",
    "sms_delivered": "sms_send",
}
SMS_BACK = {
    "enterprise_expired": "sms_certify",
    "sms_user_gone": "sms_user",
    "sms_template_gone": "sms_template",
}


def expected(stage: str, change: str, order: list[str], forward: dict[str, str], back: dict[str, str]) -> str:
    """The rule in words: a fact finishes its own step only; a withdrawal leads back to its step from any later one."""
    if forward.get(change) == stage:
        return order[order.index(stage) + 1]
    if change in back and order.index(back[change]) < order.index(stage):
        return back[change]
    return stage


def test_the_words_above_name_every_stage_and_change() -> None:
    assert [stage.value for stage in Stage] == ORDER
    assert {change.value for change in Change} == {*FORWARD, *BACK}
    assert set(TRANSITIONS) == set(Stage)
    assert [stage.value for stage in SmsStage] == SMS_ORDER
    assert {change.value for change in SmsChange} == {*SMS_FORWARD, *SMS_BACK}
    assert set(SMS_TRANSITIONS) == set(SmsStage)


@pytest.mark.parametrize(("stage", "change"), list(product(Stage, Change)))
def test_every_stage_and_change(stage: Stage, change: Change) -> None:
    after = apply(stage, change)
    assert after.value == expected(stage.value, change.value, ORDER, FORWARD, BACK)
    legal = change in TRANSITIONS[stage]
    assert legal == (after is not stage), "a legal move moves, an illegal one does not"


@pytest.mark.parametrize(("stage", "change"), list(product(SmsStage, SmsChange)))
def test_every_stage_and_change_of_the_sms_track(stage: SmsStage, change: SmsChange) -> None:
    after = apply_sms(stage, change)
    assert after.value == expected(stage.value, change.value, SMS_ORDER, SMS_FORWARD, SMS_BACK)
    legal = change in SMS_TRANSITIONS[stage]
    assert legal == (after is not stage)


FACTS = list(EMAIL_TRACK.values())
SETS = st.frozensets(st.sampled_from(FACTS)).map(lambda held: _real(held))  # noqa: PLW0108 (defined below)
SMS_FACTS = list(SMS_TRACK.values())
LASTING = frozenset({Fact.FIRST_DELIVERED, Fact.SMS_DELIVERED})


def _real(held: frozenset[Fact]) -> frozenset[Fact]:
    """Payment counts while certified (`certified_facts`); an enterprise that is certified is certified."""
    if Fact.ENTERPRISE_CERTIFIED in held:
        held = held | {Fact.CERTIFIED}
    return held if Fact.CERTIFIED in held else held - {Fact.PAID}


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
        held = _real(held | {fact} if holds or fact in LASTING else held - {fact})
        stage = walk(stage, held)[-1]
        assert stage is first_missing(held)


def first_missing_of_sms(held: frozenset[Fact]) -> SmsStage:
    return next((stage for stage, fact in SMS_TRACK.items() if fact not in held), SmsStage.DONE)


@given(st.lists(st.tuples(st.sampled_from([Fact.CERTIFIED, *SMS_FACTS]), st.booleans()), max_size=40))
def test_the_same_on_the_sms_track(story: list[tuple[Fact, bool]]) -> None:
    held: frozenset[Fact] = frozenset()
    stage = SmsStage.CERTIFY
    for fact, holds in story:
        gone = {fact, Fact.ENTERPRISE_CERTIFIED} if fact is Fact.CERTIFIED else {fact}
        kept = fact in LASTING or (fact is Fact.PAID and Fact.CERTIFIED in held)
        held = _real(held | {fact} if holds or (kept and fact in held) else held - gone)
        path = walk_sms(stage, held)
        stage = path[-1]
        assert stage is first_missing_of_sms(held)
        steps = [SMS_ORDER.index(each.value) for each in path]
        back = len(steps) > 1 and steps[1] < steps[0]
        assert [after - before for before, after in pairwise(steps[back:])] == [1] * (len(steps) - 1 - back)


@given(st.sampled_from(Stage), st.sampled_from(SmsStage), SETS)
def test_standing_walks_both_tracks(email: Stage, sms: SmsStage, held: frozenset[Fact]) -> None:
    after = Standing(email, sms).after(held)
    assert after == Standing(walk(email, held)[-1], walk_sms(sms, held)[-1])
    assert after.after(held) == after


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
        (Stage.CERTIFY, StepState.AVAILABLE),
        (Stage.PAY, StepState.LOCKED),
    ]


@pytest.mark.parametrize(
    ("stage", "held", "expected"),
    [
        (SmsStage.CERTIFY, set(), [StepState.LOCKED] * 5),
        (SmsStage.CERTIFY, {Fact.EMAIL_CONFIRMED}, [StepState.CURRENT, *[StepState.LOCKED] * 4]),
        (
            SmsStage.CERTIFY,
            {Fact.EMAIL_CONFIRMED, Fact.CERTIFIED, Fact.PAID},
            [StepState.CURRENT, StepState.DONE, *[StepState.LOCKED] * 3],
        ),
        (
            SmsStage.PAY,
            {Fact.EMAIL_CONFIRMED, Fact.ENTERPRISE_CERTIFIED},
            [StepState.DONE, StepState.CURRENT, *[StepState.LOCKED] * 3],
        ),
        (
            SmsStage.USER,
            {Fact.EMAIL_CONFIRMED, Fact.ENTERPRISE_CERTIFIED, Fact.PAID},
            [StepState.DONE, StepState.DONE, StepState.CURRENT, StepState.LOCKED, StepState.LOCKED],
        ),
        (SmsStage.DONE, {Fact.EMAIL_CONFIRMED, *SMS_TRACK.values()}, [StepState.DONE] * 5),
    ],
)
def test_the_sms_track_is_shown_in_order(stage: SmsStage, held: set[Fact], expected: list[StepState]) -> None:
    assert list(sms_states(stage, frozenset(held)).values()) == expected


@pytest.mark.parametrize(
    ("step", "found", "missing"),
    [
        (SmsStage.USER, Findings(), Missing.NO_SMS_USER),
        (SmsStage.TEMPLATE, Findings(), Missing.NO_SMS_TEMPLATE),
        (SmsStage.TEMPLATE, Findings(sms_templates=1), Missing.SMS_TEMPLATE_NOT_SUBMITTED),
        (SmsStage.TEMPLATE, Findings(sms_templates=2, sms_templates_rejected=1), Missing.SMS_TEMPLATE_REJECTED),
        (
            SmsStage.TEMPLATE,
            Findings(sms_templates=2, sms_templates_rejected=1, sms_templates_in_review=1),
            Missing.SMS_TEMPLATE_IN_REVIEW,
        ),
        (SmsStage.SEND, Findings(), Missing.NO_SMS_SENT),
        (SmsStage.SEND, Findings(sms_submissions=1, sms_in_flight=True), Missing.SMS_NOT_RECEIVED_YET),
        (SmsStage.SEND, Findings(sms_submissions=1), Missing.SMS_FAILED),
        (SmsStage.SEND, Findings(submissions=1, in_flight=True), Missing.NO_SMS_SENT),
    ],
)
def test_what_a_step_of_sms_lacks(step: SmsStage, found: Findings, missing: Missing) -> None:
    assert missing_at(step, found) is missing


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
        if wanted not in (Stage.REGISTER, Stage.DONE, SmsStage.DONE):
            assert before[0] is Stage.REGISTER


def test_the_refusal_names_the_step_and_where_to_take_it() -> None:
    status, detail, step = explain(step_refusal(Stage.API_USER), "en")
    assert (status, detail) == (409, "The step “API user” must be finished first.")
    assert "/portal/api-users" in step
    assert "创建 API_USER" in explain(step_refusal(Stage.API_USER), "zh")[1]


@pytest.mark.parametrize("wanted", [Stage.CERTIFY, Stage.PAY])
def test_the_refusal_for_money_and_papers_leads_to_the_page_of_the_missing_step(wanted: Stage) -> None:
    """What recharge and certification say to whom came too early."""
    held = frozenset({Fact.EMAIL_CONFIRMED} if wanted is Stage.PAY else set())
    missing = missing_step(held, wanted)
    assert missing is not None
    status, detail, step = explain(step_refusal(missing), "en")
    assert status == 409
    assert NAMES[missing][1] in detail
    assert PLACES[missing] in step


def test_every_step_has_texts_in_both_languages() -> None:
    steps = {*EMAIL_TRACK, *SMS_TRACK}
    assert set(HINTS) == steps
    assert set(NAMES) == steps | {Stage.DONE, SmsStage.DONE}
    assert set(MISSING) == set(Missing)
    assert set(DETAILED) <= set(Missing)
    assert set(PLACES) == steps
    hints = [hint for hints in HINTS.values() for hint in hints]
    for zh, en in [*NAMES.values(), *MISSING.values(), *DETAILED.values(), *hints]:
        assert any("\u4e00" <= character <= "\u9fff" for character in zh)
        assert max(en) < "\u4e00"


def test_nothing_is_promised_that_is_not_offered_and_no_account_of_a_real_bank_is_shown() -> None:
    """The guide's transfer comes later (seed 2.5); its bank account is a real company's."""
    for step in (Stage.PAY, SmsStage.PAY):
        for zh, en in HINTS[step]:
            assert not any(word in zh + en for word in ("转账", "汇款", "transfer", "账号", "银行"))
