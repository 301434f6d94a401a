"""What a step lacks, from what the rows say, and how it is told."""

import datetime as dt

import pytest

from domain.certification import CertificationKind, CertificationState
from domain.domains import Purpose
from domain.ids import new_id
from domain.onboarding import Fact, SmsStage, Stage, Step
from domain.onboarding_findings import (
    Application,
    Fault,
    Findings,
    Lack,
    Missing,
    certified_facts,
    lack_at,
    missing_at,
    next_expiry,
)
from domain.step_texts import MISSING, missing_text, place_of

MIDDLE = frozenset({Fact.EMAIL_CONFIRMED})
TODAY = dt.date(2026, 3, 2)
NOW = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
OTHER = {
    "individual": CertificationKind.INDIVIDUAL,
    "enterprise": CertificationKind.ENTERPRISE,
}


def application(state: str, kind: str = "individual", number: int = 1, **more: object) -> Application:
    return Application(new_id(), OTHER[kind], CertificationState(state), number, **more)  # type: ignore[arg-type]


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
        (Stage.CERTIFY, Findings(MIDDLE), Missing.CERTIFICATION_NOT_BEGUN),
        (Stage.CERTIFY, Findings(MIDDLE | {Fact.CERTIFIED}), None),
        (Stage.PAY, Findings(MIDDLE), Missing.NOT_RECHARGED),
        (Stage.PAY, Findings(MIDDLE, open_order=new_id()), Missing.RECHARGE_WAITS),
        (SmsStage.PAY, Findings(MIDDLE), Missing.NOT_RECHARGED),
        (SmsStage.CERTIFY, Findings(MIDDLE), Missing.CERTIFICATION_NOT_BEGUN),
        (SmsStage.USER, Findings(MIDDLE), Missing.NO_SMS_USER),
        (Stage.DONE, Findings(MIDDLE), None),
    ],
)
def test_what_is_missing(stage: Step, found: Findings, missing: Missing | None) -> None:
    assert missing_at(stage, found) is missing


@pytest.mark.parametrize(
    ("applications", "email", "sms"),
    [
        (["draft"], "certification_draft", "enterprise_needed"),
        (["submitted"], "certification_in_review", "enterprise_needed"),
        (["rejected"], "certification_rejected", "enterprise_needed"),
        (["revoked"], "certification_revoked", "enterprise_needed"),
        (["approved"], "certification_expired", "enterprise_needed"),
        (["draft/enterprise"], "certification_draft", "certification_draft"),
        (["rejected/enterprise"], "certification_rejected", "certification_rejected"),
        (["rejected", "draft"], "certification_draft", "enterprise_needed"),
        (["approved/enterprise", "submitted/enterprise"], "certification_in_review", "certification_in_review"),
        (["submitted/enterprise", "draft"], "certification_in_review", "certification_in_review"),
        (["rejected/enterprise", "draft"], "certification_draft", "certification_rejected"),
    ],
)
def test_what_is_missing_of_the_applications(applications: list[str], email: str, sms: str) -> None:
    """Oldest first. None of them holds: one that was approved has expired."""
    parts = [each.partition("/") for each in applications]
    found = Findings(
        MIDDLE,
        applications=tuple(
            application(state, kind or "individual", number) for number, (state, _, kind) in enumerate(parts, 1)
        ),
    )
    assert (missing_at(Stage.CERTIFY, found), missing_at(SmsStage.CERTIFY, found)) == (email, sms)


@pytest.mark.parametrize(
    ("applications", "recharged", "facts"),
    [
        ([], True, set()),
        ([application("approved")], False, {Fact.CERTIFIED}),
        ([application("approved", valid_until=TODAY)], True, {Fact.CERTIFIED, Fact.PAID}),
        ([application("approved", valid_until=TODAY - dt.timedelta(days=1))], True, set()),
        (
            [application("submitted"), application("rejected"), application("revoked"), application("draft")],
            True,
            set(),
        ),
        ([application("approved", "enterprise")], False, {Fact.CERTIFIED, Fact.ENTERPRISE_CERTIFIED}),
        (
            [application("approved", "enterprise", valid_until=dt.date(2026, 3, 1)), application("approved", number=2)],
            True,
            {Fact.CERTIFIED, Fact.PAID},
        ),
    ],
)
def test_facts_of_certification_and_payment(applications: list[Application], recharged: bool, facts: set[Fact]) -> None:
    assert certified_facts(applications, recharged, TODAY) == facts


def test_the_next_expiry_is_the_shanghai_midnight_after_the_last_day() -> None:
    gone = application("approved", valid_until=dt.date(2026, 3, 1))
    assert next_expiry([gone, application("approved"), application("draft", valid_until=TODAY)], NOW) is None
    later, sooner = (application("approved", valid_until=dt.date(2026, month, 5)) for month in (9, 4))
    assert next_expiry([gone, later, sooner], NOW) == dt.datetime(2026, 4, 5, 16, tzinfo=dt.UTC)
    last_second = dt.datetime(2026, 4, 5, 15, 59, 59, tzinfo=dt.UTC)
    assert next_expiry([sooner], last_second) == last_second + dt.timedelta(seconds=1)
    assert next_expiry([sooner], last_second + dt.timedelta(seconds=1)) is None


def test_a_broken_record_is_named_with_the_domain_and_its_page() -> None:
    fault = Fault(new_id(), "mail.shop.example", Purpose.SPF)
    lack = lack_at(Stage.DOMAIN, Findings(MIDDLE, domains=1, domains_broken=1, fault=fault))
    assert lack is not None
    assert "SPF record of mail.shop.example" in missing_text(lack, "en")
    assert "mail.shop.example 的 SPF 记录" in missing_text(lack, "zh")
    assert place_of(Stage.DOMAIN, lack) == f"/portal/domains/{fault.domain_id}"
    unknown = Lack(Missing.DOMAIN_RECORD_BROKEN, fault=Fault(new_id(), "mail.shop.example", None))
    assert missing_text(unknown, "en") == MISSING[Missing.DOMAIN_RECORD_BROKEN][1]


def test_reasons_due_times_and_days_are_told() -> None:
    due = dt.datetime(2026, 3, 3, 2, 30, tzinfo=dt.UTC)
    waiting = application("submitted", due_at=due, due_provisional=True)
    rejected = application("rejected", reason="营业执照不清晰 {x} %s")
    expired = application("approved", valid_until=dt.date(2026, 3, 1))
    for one, words in (
        (waiting, "2026-03-03 10:30（暂定"),
        (rejected, "营业执照不清晰 {x} %s。"),
        (expired, "已于 2026-03-01 到期"),
        (application("revoked", reason="Forged."), "Forged. 请"),
        (
            application("rejected", part_reasons={"id_back": "模糊", "name": "与证件不符"}),
            "姓名：与证件不符；身份证国徽面：模糊。",
        ),
        (application("submitted"), MISSING[Missing.CERTIFICATION_IN_REVIEW][0]),
    ):
        lack = lack_at(Stage.CERTIFY, Findings(MIDDLE, applications=(one,)))
        assert lack is not None
        assert words in missing_text(lack, "zh")
        assert place_of(Stage.CERTIFY, lack) == "/portal/certification"
    order = new_id()
    lack = lack_at(Stage.PAY, Findings(MIDDLE, open_order=order))
    assert place_of(Stage.PAY, lack) == f"/portal/recharges/{order}"
