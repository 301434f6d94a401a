"""What a submission's mails are made of: content, names, and the sealed key that signs them."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from domain.accounts import SYSTEM_ACCOUNT
from store.db import Connection

_LOAD = """
SELECT s.account_id, s.api_user_id, s.kind, s.sender, s.sender_name, s.reply_to, s.label, s.accepted_at,
       v.id AS version_id, v.subject, v.html, v.text,
       d.id AS domain_id, d.name AS domain_name, d.dkim_selector, d.dkim_private, u.resend_uncertain,
       COALESCE((SELECT p.name FROM sender_domain p
                 WHERE d.is_test AND p.account_id = $2 AND p.dkim_public = d.dkim_public LIMIT 1),
                d.name) AS signing_domain
FROM submission s
JOIN template_version v ON v.id = s.template_version_id
JOIN sender_domain d ON d.id = s.domain_id
JOIN api_user u ON u.id = s.api_user_id
WHERE s.id = $1
"""


@dataclass(frozen=True)
class SubmissionContent:
    """One submission's content; the same for all its messages."""

    account_id: UUID
    api_user_id: UUID
    kind: str
    sender: str
    sender_name: str
    reply_to: str
    label: str
    accepted_at: dt.datetime
    version_id: UUID
    subject: str
    html: str
    text: str
    domain_id: UUID
    domain_name: str
    dkim_selector: str
    dkim_private: bytes
    resend_uncertain: bool
    signing_domain: str
    """Of the signature (`d=`): a test domain has the platform's key, which is published below the platform's name."""


async def load_content(connection: Connection, submission: UUID) -> SubmissionContent:
    """The rows behind a submission; they exist as long as it does."""
    row = await connection.fetchrow(_LOAD, submission, SYSTEM_ACCOUNT)
    if row is None:
        raise LookupError(f"submission {submission} has no content")
    return SubmissionContent(**dict(row))
