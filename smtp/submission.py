"""Submission (RFC 6409): customers hand over mails as they do to SendCloud (reference/sendcloud-api.md §4, §5).

The twin of `api/sendcloud/mail.py`: the same services, the same rules. 250 is said once the mail is durable.
"""

import asyncio
import binascii
import ssl
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiosmtpd.smtp import MISSING, AuthResult

from domain.addresses import BadAddress, normalise_address
from domain.errors import Refusal
from domain.free_content import FreeMail, Written
from domain.networks import neighbourhood
from domain.sendcloud import message_id
from domain.sending import Recipient
from domain.submitted_mail import SubmittedMail, Unreadable, read_mail
from domain.xsmtpapi import BadXsmtpapi, read_header
from services.api_keys import Holder
from services.catalog import Services
from smtp import replies
from smtp.limits import Room
from smtp.logins import Failures
from smtp.protocol import IDLE, Dialogue
from store.db import DATABASE_TROUBLE

log = structlog.get_logger(__name__)

SIZE = 16_000_000
MOST_RECIPIENTS = 100
PER_USER = 100
"""Connections of one API user to this process."""
MOST_LOGINS = 3
"""Failed ones on one connection."""
LONGEST_REQUEST_ID = 128
SLOW = 65_536
"""Bytes from which on a mail is read beside the event loop."""
COMMANDS = {"MAIL": 1_000, "RCPT": 20_000, "DATA": 1_000, "RSET": 1_000, "NOOP": 1_000, "*": 20}
"""How often each may be said on one connection; then 421, and the client connects anew."""


class SubmissionDialogue(Dialogue):
    """One connection of a customer."""

    greeting = "Songda Inbound Server ESMTP ready"
    go_ahead = "354 go ahead, make my day"

    async def check_auth_needed(self, caller_method: str) -> bool:
        """With the next step, which aiosmtpd does not say."""
        if self.session is None or self.session.authenticated:
            return False
        first = "STARTTLS first, then " if self._auth_require_tls and not self._tls_protocol else ""
        await self.push(f"530 5.7.0 Authentication required: {first}AUTH with an API user and its API key")
        return True


@dataclass(frozen=True)
class Submissions:
    """What all connections of the process share."""

    served: Services
    failures: Failures
    room: Room
    host_name: str
    tls: ssl.SSLContext | None
    plain_login: bool
    """Passwords are taken on connections without TLS."""

    def connection(self) -> SubmissionDialogue:
        """The protocol of a new connection."""
        made = SubmissionDialogue(
            Submission(self), self.room, data_size_limit=SIZE, enable_SMTPUTF8=True, hostname=self.host_name,
            tls_context=self.tls, auth_require_tls=not self.plain_login, command_call_limit=COMMANDS,
        )  # fmt: skip
        made.require_auth()
        return made


@dataclass(frozen=True)
class Login:
    """What a client signed in with. Asked again for every mail, so that a revoked key ends with the next."""

    name: str
    key: str = field(repr=False)
    label: str


class Submission:
    """The hooks of one connection, as aiosmtpd calls them: the reply is what they return."""

    def __init__(self, door: Submissions) -> None:
        self._door = door
        self._login: Login | None = None
        self._failed = 0

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, name: str, lines: list[str]) -> list[str]:
        """Enhanced codes stand in refusals but are not announced: SendCloud's 250 has none, and RFC 2034 wants all."""
        session.host_name = name
        said = [lines[0], "250-PIPELINING", *(line for line in lines[1:] if line != "250 HELP")]
        return [*said[:-1], f"250 {said[-1][4:]}"]

    async def auth_LOGIN(self, server: Any, args: list[str]) -> AuthResult:
        """Name and key as two answers; the name may come with the command."""
        name = await _given(server, args, server.AuthLoginUsernameChallenge)
        if name is None:
            return AuthResult(success=False)
        key = await server.challenge_auth(server.AuthLoginPasswordChallenge)
        return AuthResult(success=False) if key is MISSING else await self._sign_in(server, name, key)

    async def auth_PLAIN(self, server: Any, args: list[str]) -> AuthResult:
        """RFC 4616: who is acted for (ignored), name, key."""
        said = await _given(server, args, "")
        if said is None:
            return AuthResult(success=False)
        parts = said.split(b"\0")
        if len(parts) != 3:
            return AuthResult(success=False, handled=False, message="501 5.5.2 PLAIN needs a name and a key")
        return await self._sign_in(server, parts[1], parts[2])

    async def _sign_in(self, server: Any, user: bytes, key: bytes) -> AuthResult:
        name, _, label = user.decode(errors="replace").partition("#")
        login = Login(name, key.decode(errors="replace"), label)
        place, at = neighbourhood(server.address), asyncio.get_running_loop().time()
        if self._door.failures.is_banned(place, name, at):
            return await _last(server, "421 4.7.0 too many failed logins from your address, try again later")
        try:
            holder = await self._door.served.accounts.api_user(login.name, login.key)
        except Refusal:
            return await self._failed_login(server, self._door.failures.failed(place, name, at))
        except DATABASE_TROUBLE:
            return AuthResult(success=False, handled=False, message="454 4.7.0 Temporary authentication failure")
        return await self._admit(server, login, holder)

    async def _failed_login(self, server: Any, wait: float) -> AuthResult:
        await asyncio.sleep(wait)
        self._failed += 1
        said = "535 5.7.8 Authentication failed: the user is an API user, the password its API key"
        if self._failed < MOST_LOGINS:
            return AuthResult(success=False, handled=False, message=said)
        return await _last(server, said)

    async def _admit(self, server: Any, login: Login, holder: Holder) -> AuthResult:
        if not self._door.room.connections.claim(server, f"user {holder.caller.api_user_id}", PER_USER):
            return await _last(server, "421 4.7.0 too many connections of this API user, try again later")
        self._door.failures.succeeded(neighbourhood(server.address), login.name)
        self._login = login
        server.stay(IDLE)
        return AuthResult(success=True, message="235 Authentication successful")

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        """The envelope's sender is ours, whatever this says: bounces come to us."""
        envelope.mail_from = address or "<>"
        return f"250 sender <{address.strip('<>')}> OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        """One message each; none of them sees the others."""
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return f"452 4.5.3 a mail has at most {MOST_RECIPIENTS} recipients"
        try:
            envelope.rcpt_tos.append(normalise_address(address))
        except BadAddress as bad:
            return f"{replies.BAD_RECIPIENT} {replies.words(bad)}"
        return f"250 recipient <{address}> OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Durable, or refused whole."""
        try:
            return await self._accept(envelope.content, envelope.rcpt_tos)
        except Unreadable as bad:
            return bad.reply
        except BadXsmtpapi as bad:
            return replies.of_xsmtpapi(bad)
        except Refusal as refusal:
            return replies.of_refusal(refusal)
        except DATABASE_TROUBLE as problem:
            log.warning("submission_failed", error=type(problem).__name__)
            return replies.AGAIN

    async def _accept(self, content: bytes, recipients: list[str]) -> str:
        served, login = self._door.served, self._login
        if login is None:
            raise Refusal("unauthenticated")
        holder = await served.accounts.api_user(login.name, login.key)
        if holder.caller.api_user_id is not None:
            await served.call_rate.take(holder.caller.api_user_id)
        mail = read_mail(content) if len(content) < SLOW else await asyncio.to_thread(read_mail, content)
        accepted = await served.sending.send_content(holder, free_mail(holder, mail, recipients, login.label))
        return f"250 #{message_id(accepted.submission_id)}#Queued"


def free_mail(holder: Holder, mail: SubmittedMail, recipients: list[str], label: str) -> FreeMail:
    """What the services take. Raises `BadXsmtpapi`, `Unreadable`."""
    if len(mail.request_id) > LONGEST_REQUEST_ID:
        raise Unreadable(f"550 5.6.0 SC-Request-Id has at most {LONGEST_REQUEST_ID} characters")
    return FreeMail(
        mail.sender,
        Written(mail.subject, mail.html, "" if mail.html else mail.text),
        _addressed(mail.xsmtpapi, recipients),
        mail.sender_name,
        mail.reply_to,
        label,
        f"smtp/{holder.caller.api_user_id}/{mail.request_id}" if mail.request_id else None,
        mail.headers,
    )


def _addressed(xsmtpapi: str, recipients: list[str]) -> tuple[Recipient, ...]:
    """Those of X-SMTPAPI with their values; else those of the envelope."""
    personal = read_header(xsmtpapi)
    if personal is not None and personal.to is not None:
        pairs = zip(personal.to, personal.values, strict=True)
        return tuple(Recipient(to, values, n) for n, (to, values) in enumerate(pairs, 1))
    common = personal.common if personal else {}
    return tuple(Recipient(to, common, n) for n, to in enumerate(recipients, 1))


async def _given(server: Any, args: list[str], challenge: str) -> bytes | None:
    """The first answer of an AUTH: with the command, or asked for. None: the client was told what is wrong."""
    if len(args) == 1:
        said = await server.challenge_auth(challenge)
        return None if said is MISSING else bytes(said)
    try:
        return b64decode(args[1] if args[1] != "=" else "", validate=True)
    except (binascii.Error, ValueError):
        await server.push("501 5.5.2 not base64")
        return None


async def _last(server: Any, reply: str) -> AuthResult:
    await server.hang_up(reply)
    return AuthResult(success=False)
