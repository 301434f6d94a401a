"""What a decision may say, whatever it is about."""

import pytest

from domain.certification import Part
from domain.ids import Kind
from domain.reviews import (
    MAX_PARTS,
    MAX_REASON,
    PARTS,
    Decision,
    ReviewDecision,
    Ruling,
    indiscretion,
    objection,
    ruling,
)

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
        (CERTIFICATION, ReviewDecision(Decision.REJECT, parts=dict.fromkeys(list(Part)[:6], "证" * MAX_REASON))),
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
        (CERTIFICATION, rejected("x", **dict.fromkeys(list(Part)[:6], "证" * MAX_REASON)), "3001 characters together"),
        (CERTIFICATION, rejected("no", **{f"p{n}": "x" for n in range(MAX_PARTS + 1)}), "21 parts"),
        (CERTIFICATION, ReviewDecision(Decision.APPROVE, actor="o@songda.example"), "no address"),
    ],
)
def test_what_cannot(kind: Kind, decision: ReviewDecision, says: str) -> None:
    assert says in (objection(decision, kind) or "taken")


@pytest.mark.parametrize(
    "words",
    ["13812345678", "138 1234 5678", "138-1234-5678", "110105194912310021", "11010519491231002X", "it is 1234567.",
     "123456x", "1 2 3 4 5 6 7", "１３８１２３４５６７８", "138–1234–5678", "鄂ICP备12012345号", "010\n1234567"],
)  # fmt: skip
def test_a_long_number_is_not_written_into_a_history(words: str) -> None:
    for decision in (rejected(words), rejected("no", name=words), ReviewDecision(Decision.APPROVE, actor=words)):
        assert "decide in the console" in (indiscretion(decision) or "taken")
        assert objection(decision, CERTIFICATION) is None, "in the console it can be said"


@pytest.mark.parametrize("words", ["", "no", "123456", "12 pages of 2026", "2026, 12, 31", "错误 40908，见第 3 页"])
def test_short_numbers_can_be_written_anywhere(words: str) -> None:
    assert indiscretion(rejected(words)) is None


def test_an_objection_repeats_little_of_what_was_sent() -> None:
    said = objection(rejected("no", **{"x" * 9_000: "y"}), CERTIFICATION)
    assert said is not None and len(said) < 400


def test_every_part_can_be_objected_to_at_once() -> None:
    assert all(len(parts) <= MAX_PARTS for parts in PARTS.values())


def test_a_ruling_is_trimmed() -> None:
    decision = ReviewDecision(Decision.REJECT, " no ", "operator/o", 3, {"licence": " blurred\n"})
    assert ruling(decision) == Ruling(Decision.REJECT, "operator/o", "no", 3, {"licence": "blurred"})
