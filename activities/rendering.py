"""From a message row to signed bytes. Content and keys are kept per process, since many messages share them."""

from collections import OrderedDict
from uuid import UUID

from domain import dkim
from domain.accounts import SYSTEM_ACCOUNT
from domain.mail import Letter, compose
from domain.markup import compile_html
from domain.secrets import Vault
from domain.transport import Mail
from domain.variables import fill_header, fill_text
from store.contents import SubmissionContent, load_content
from store.db import Database
from store.pages import PageMessage

CONTENTS_KEPT = 500


class Renderer:
    """`content` loads what a submission is made of, `render` makes one mail of it."""

    def __init__(self, db: Database, vault: Vault, bounce_host: str) -> None:
        self._db = db
        self._vault = vault
        self._bounce_host = bounce_host
        self._contents: OrderedDict[UUID, SubmissionContent] = OrderedDict()
        self._keys: dict[UUID, dkim.SigningKey] = {}

    async def content(self, submission: UUID) -> SubmissionContent:
        """The content of a submission, from memory when it was used lately."""
        found = self._contents.get(submission)
        if found is None:
            async with self._db.pool.acquire() as connection:
                found = await load_content(connection, submission)
            self._contents[submission] = found
            if len(self._contents) > CONTENTS_KEPT:
                self._contents.popitem(last=False)
        return found

    def render(self, message: PageMessage, content: SubmissionContent) -> Mail:
        """Fill, compose and sign. The same message gives the same Message-ID and Date at every try."""
        key = self._key(content)
        data = compose(self._letter(message, content))
        signed = dkim.sign(data, key, int(content.accepted_at.timestamp()))
        return Mail(f"b+{message.id}@{self._bounce_host}", message.address, signed)

    def _letter(self, message: PageMessage, content: SubmissionContent) -> Letter:
        values = message.variables
        return Letter(
            message_id=f"{message.submission_id.hex}.{message.ordinal}@{content.domain_name}",
            date=content.accepted_at,
            sender=content.sender,
            sender_name=content.sender_name,
            to=message.address,
            reply_to=content.reply_to,
            subject=fill_header(content.subject, values),
            html=compile_html(content.html).fill(values),
            text=fill_text(content.text, values),
            feedback_id=f"{message.submission_id.hex[:16]}:{content.account_id.hex}:{content.kind}:songda",
            automatic=content.account_id == SYSTEM_ACCOUNT,
        )

    def _key(self, content: SubmissionContent) -> dkim.SigningKey:
        key = self._keys.get(content.domain_id)
        if key is None:
            pem = self._vault.unseal(content.dkim_private, f"domain/{content.domain_id}")
            key = self._keys[content.domain_id] = dkim.load_key(content.signing_domain, content.dkim_selector, pem)
        return key
