"""Certification of a person or a company (seed 2.4, 3.1): what is handed in, what is checked, what it ends as."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class CertificationKind(StrEnum):
    INDIVIDUAL = "individual"
    ENTERPRISE = "enterprise"


class CertificationState(StrEnum):
    """`REVOKED`: an operator took an approval back, with a reason."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"


class Part(StrEnum):
    """One part of an application that a reviewer judges, and gives a reason for, by itself."""

    NAME = "name"
    """Of the person; of an enterprise, the company as on its licence."""
    ID_NUMBER = "id_number"
    """18 characters, GB 11643; of an enterprise, of its legal representative or handler."""
    USCC = "uscc"
    """Unified social credit code, GB 32100; enterprises only."""
    CONTACT_NAME = "contact_name"
    """Whose identity number it is; enterprises only."""
    WEBSITE = "website"
    ICP_NUMBER = "icp_number"
    NO_WEBSITE_REASON = "no_website_reason"
    """Instead of the two above: then support decides (seed 2.4)."""
    VALID_UNTIL = "valid_until"
    """Last day of the licence or identity card, `YYYY-MM-DD`; empty for a long-term one."""
    LICENCE = "licence"
    ID_FRONT = "id_front"
    ID_BACK = "id_back"
    ICP_SCREENSHOT = "icp_screenshot"


DOCUMENT_PARTS = frozenset({Part.LICENCE, Part.ID_FRONT, Part.ID_BACK, Part.ICP_SCREENSHOT})


@dataclass(frozen=True)
class Held:
    """What an approved certification gives: of which kind, and until when (None: without end)."""

    kind: CertificationKind
    valid_until: dt.date | None
