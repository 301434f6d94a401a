"""Unsubscribing by the link of a mail, and taking that back. Who holds the link decides: there is no caller."""

from dataclasses import dataclass

from domain.errors import Refusal
from domain.link_tokens import LinkKind, LinkToken, read_token
from domain.masking import mask_address
from domain.signals import Counts
from domain.suppressions import Consent, SuppressionReason
from domain.webhooks import Event, OwedEvent
from services.foundation import Foundation
from store import engagement, signals, suppressions
from store.columns import now
from store.db import Connection
from store.engagement import SentMail
from store.webhooks import owe_events


@dataclass(frozen=True)
class MailConsent:
    """What the page behind the link says: who writes, to whom (masked: a forwarded mail carries its link along)."""

    sender: str
    sender_name: str
    recipient: str
    consent: Consent


class Unsubscribes:
    """Every method raises `Refusal("link_unknown")` for a token that is not ours or whose message is gone."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def view(self, token: str) -> MailConsent:
        """How the recipient stands; changes nothing."""
        said = self._read(token)
        async with self._base.db.pool.acquire() as connection:
            mail = await self._mail(connection, said)
            consent = await self._consent(connection, mail)
        return MailConsent(mail.sender, mail.sender_name, mask_address(mail.address), consent)

    async def unsubscribe(self, token: str) -> None:
        """No more batch mails of this account to this address. Repeats change nothing.

        Webhooks hear of it when it becomes true, and when a message's link is used for the first time.
        """
        said = self._read(token)
        at = now()
        async with self._base.db.raw() as connection:
            mail = await self._mail(connection, said)
            if await self._consent(connection, mail) is Consent.WITHDRAWN:
                return
            new = await suppressions.withdraw(connection, mail.account_id, mail.address, mail.id, at)
            found = await engagement.record(connection, mail, said, at)
            if found.first:
                await signals.note_of(connection, mail.id, Counts(unsubscribed=1))
            if new or found.first:
                event = OwedEvent(mail.account_id, Event.UNSUBSCRIBE, mail.id, at, mail.event_data())
                await owe_events(connection, [event])

    async def resubscribe(self, token: str) -> None:
        """It was a mistake: ends what this very mail's link began, nothing that another mail or the sender did."""
        said = self._read(token)
        async with self._base.db.raw() as connection:
            mail = await self._mail(connection, said)
            await suppressions.take_back(connection, mail.account_id, mail.address, mail.id)

    def _read(self, token: str) -> LinkToken:
        said = read_token(self._base.vault.link_key, token)
        if said is None or said.kind is not LinkKind.UNSUBSCRIBE:
            raise Refusal("link_unknown")
        return said

    async def _mail(self, connection: Connection, said: LinkToken) -> SentMail:
        mail = await engagement.sent_mail(connection, said.message_id)
        if mail is None:
            raise Refusal("link_unknown")
        return mail

    async def _consent(self, connection: Connection, mail: SentMail) -> Consent:
        held = await suppressions.of_address(connection, mail.account_id, mail.address, now())
        if any((row["reason"], row["message_id"]) == (SuppressionReason.UNSUBSCRIBE, mail.id) for row in held):
            return Consent.WITHDRAWN
        return Consent.SUPPRESSED if held else Consent.GIVEN
