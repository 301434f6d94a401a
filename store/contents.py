"""What a submission's mails are made of: content, names, and the sealed key that signs them."""

from dataclasses import dataclass
from uuid import UUID

from domain.accounts import SYSTEM_ACCOUNT
from domain.compiled_mail import MailContent
from store.db import Connection

_LOAD = """
SELECT s.id AS submission_id, s.account_id, s.api_user_id, s.kind, s.sender, s.sender_name, s.reply_to, s.label,
       s.accepted_at, v.id AS version_id, v.subject, v.html, v.text,
       d.id AS domain_id, d.name AS domain_name, d.dkim_selector, d.dkim_private,
       s.headers, u.resend_uncertain, u.track_clicks, u.track_opens,
       COALESCE((SELECT p.name FROM sender_domain p
                 WHERE d.is_test AND p.account_id = $2 AND p.dkim_public = d.dkim_public LIMIT 1),
                d.name) AS signing_domain
FROM submission s
JOIN template_version v ON v.id = COALESCE($3, s.template_version_id)
JOIN sender_domain d ON d.id = s.domain_id
JOIN api_user u ON u.id = s.api_user_id
WHERE s.id = $1
"""


@dataclass(frozen=True)
class SubmissionContent(MailContent):
    """One submission's content with the rows it came from; the same for all its messages of one revision."""

    api_user_id: UUID
    label: str
    version_id: UUID
    domain_id: UUID
    dkim_selector: str
    dkim_private: bytes
    resend_uncertain: bool
    signing_domain: str
    """Of the signature (`d=`): a test domain has the platform's key, which is published below the platform's name."""


async def load_content(connection: Connection, submission: UUID, version: UUID | None = None) -> SubmissionContent:
    """The rows behind a submission, which exist as long as it does; with another template version when one is named."""
    row = await connection.fetchrow(_LOAD, submission, SYSTEM_ACCOUNT, version)
    if row is None:
        raise LookupError(f"submission {submission} has no content")
    return SubmissionContent(**dict(row))
