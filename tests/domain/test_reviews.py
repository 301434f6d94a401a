"""What a decision may say, whatever it is about."""

import pytest

from domain.certification import Part
from domain.ids import Kind
from domain.reviews import MAX_PARTS, MAX_REASON, PARTS, Decision, ReviewDecision, Ruling, objection, ruling

TEMPLATE, CERTIFICATION = Kind.TEMPLATE_REVIEW, Kind.CERTIFICATION_REVIEW


def rejected(reason: str = "", **parts: str) -> ReviewDecision:
    return ReviewDecision(Decision.REJECT, reason, parts=parts)


@pytest.mark.parametrize(
    ("kind", "decision"),
    [
        (TEMPLATE, ReviewDecision(Decision.APPROVE)),
        (TEMPLATE, ReviewDecision(Decision.APPROVE, "fine")),
        (TEMPLATE, rejected("x" * MAX_REASON)),
        (CERTIFICATION, rejected("two things", licence="not legible", name="not as on the licence")),
        (CERTIFICATION, rejected(licence="not legible")),
        (CERTIFICATION, ReviewDecision(Decision.REJECT, parts=dict.fromkeys(Part, "wrong"))),
    ],
)
def test_what_can_be_taken(kind: Kind, decision: ReviewDecision) -> None:
    assert objection(decision, kind) is None


@pytest.mark.parametrize(
    ("kind", "decision", "says"),
    [
        (TEMPLATE, rejected(), "give a reason"),
        (TEMPLATE, rejected(" \n"), "give a reason"),
        (TEMPLATE, rejected("no", licence="x"), "Parts: none"),
        (TEMPLATE, rejected("x" * (MAX_REASON + 1)), "501 characters"),
        (TEMPLATE, rejected("nul\0"), "NUL"),
        (CERTIFICATION, ReviewDecision(Decision.APPROVE, parts={"licence": "x"}), "object to no part"),
        (CERTIFICATION, rejected("no", shoes="too small"), "'shoes'"),
        (CERTIFICATION, rejected("no", licence="  "), "each part"),
        (CERTIFICATION, rejected("no", licence="x" * (MAX_REASON + 1)), "501 characters"),
        (CERTIFICATION, rejected("no", licence="nul\0"), "NUL"),
        (CERTIFICATION, rejected("no", name="it says a@b.example"), "no address"),
        (CERTIFICATION, rejected("no", **{f"p{n}": "x" for n in range(MAX_PARTS + 1)}), "21 parts"),
        (CERTIFICATION, ReviewDecision(Decision.APPROVE, actor="o@songda.example"), "no address"),
    ],
)
def test_what_cannot(kind: Kind, decision: ReviewDecision, says: str) -> None:
    assert says in (objection(decision, kind) or "taken")


def test_an_objection_repeats_little_of_what_was_sent() -> None:
    said = objection(rejected("no", **{"x" * 9_000: "y"}), CERTIFICATION)
    assert said is not None and len(said) < 400


def test_every_part_can_be_objected_to_at_once() -> None:
    assert all(len(parts) <= MAX_PARTS for parts in PARTS.values())


def test_a_ruling_is_trimmed() -> None:
    decision = ReviewDecision(Decision.REJECT, " no ", "operator/o", 3, {"licence": " blurred\n"})
    assert ruling(decision) == Ruling(Decision.REJECT, "operator/o", "no", 3, {"licence": "blurred"})
