"""Applications as they are seen: masked by customers, whole by the operator who decides; and sealed in their rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain import certification as rules
from domain.certification import LONG_TERM, CertificationKind, CertificationState, Part
from domain.certification_parts import warnings
from domain.ids import Kind, workflow_id
from domain.papers import PaperType
from domain.secrets import Vault
from store.certification import Certification, Document

CORRECTABLE = (CertificationState.REJECTED, CertificationState.WITHDRAWN, CertificationState.REVOKED)


@dataclass(frozen=True)
class CertificationView:
    """One application as the customer sees it: `typed` is masked; `missing` is what a draft still needs.

    `warnings`: parts that may be right, and should be looked at twice.
    """

    row: Certification
    typed: Mapping[Part, str]
    documents: Sequence[Document]
    missing: Sequence[Part] = ()
    warnings: Sequence[Part] = ()

    @property
    def kind(self) -> CertificationKind:
        return CertificationKind(self.row.kind)

    @property
    def state(self) -> CertificationState:
        return CertificationState(self.row.state)

    @property
    def workflow_id(self) -> str | None:
        """The review process; None for what never was submitted."""
        return review_id(self.row.id) if self.row.submitted_at else None

    @property
    def correctable(self) -> bool:
        return self.state in CORRECTABLE and self.row.submitted_at is not None


@dataclass(frozen=True)
class ShownPaper:
    """Bytes on their way to somebody who may see them; the view is in the audit log already."""

    media_type: PaperType
    name: str
    data: bytes


@dataclass(frozen=True)
class CertificationCase:
    """One application as the operator who decides sees it: nothing masked. `earlier`: the account's others."""

    row: Certification
    typed: Mapping[Part, str]
    documents: Sequence[Document]
    earlier: Sequence[Certification]
    warnings: Sequence[Part]

    @property
    def kind(self) -> CertificationKind:
        return CertificationKind(self.row.kind)

    @property
    def exception(self) -> bool:
        """Without a website: deciding needs `Duty.EXCEPTIONS`."""
        return self.row.exception

    @property
    def workflow_id(self) -> str:
        return review_id(self.row.id)


def review_id(certification_id: UUID) -> str:
    """The workflow id of an application's review."""
    return workflow_id(Kind.CERTIFICATION_REVIEW, certification_id)


def opened(vault: Vault, row: Certification) -> dict[Part, str]:
    """What was typed."""
    if not row.details:
        return {}
    plain = json.loads(vault.unseal(row.details, f"certification/{row.id}"))
    return {Part(name): text for name, text in plain.items()}


def handed_in(vault: Vault, row: Certification) -> dict[Part, str]:
    """What was typed, as it is shown: whoever submitted before its end had to be said meant a document without one.

    A draft that does not say it yet has to.
    """
    typed = opened(vault, row)
    if typed and row.submitted_at is not None:
        typed.setdefault(Part.VALID_UNTIL, LONG_TERM)
    return typed


def write(vault: Vault, row: Certification, typed: Mapping[Part, str]) -> None:
    """Into the row: sealed, and beside it only what rules and queues ask for."""
    plain = json.dumps({part.value: text for part, text in typed.items()}, ensure_ascii=False)
    row.details = vault.seal(plain.encode(), f"certification/{row.id}")
    row.exception = rules.is_exception(typed)
    row.valid_until = rules.last_day(typed)


def view(vault: Vault, row: Certification, papers: Sequence[Document]) -> CertificationView:
    """For the customer."""
    kind, typed = CertificationKind(row.kind), handed_in(vault, row)
    draft = row.state == CertificationState.DRAFT
    lacking = rules.missing(kind, typed, {Part(each.part) for each in papers}) if draft else []
    return CertificationView(row, rules.masked(kind, typed), papers, lacking, warnings(typed))
