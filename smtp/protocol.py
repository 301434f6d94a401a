"""The server's side of an SMTP dialogue, on aiosmtpd 1.4.6: what both of our doors need and it lacks.

Limits of connections, of time and of memory; DATA in flat pieces; STARTTLS once; nothing of the client in logs. All
that knows aiosmtpd from within is here, so that another server could take its place.
"""

import re
from typing import Any

import structlog
from aiosmtpd.smtp import SMTP, TLSSetupException

from domain.variables import one_line
from smtp.limits import Room
from smtp.received_data import PIECE, Unread, has_bare, read_data

log = structlog.get_logger(__name__)

COMMAND_BYTES = 2_048
IDLE = 300.0
"""Seconds between two commands (RFC 5321 §4.5.3.2.7)."""
UNKNOWN_IDLE = 60.0
"""Of a client that has not signed in."""
UNKNOWN_SECONDS = 300.0
"""Altogether, of a client that has not signed in: each command is heard for another minute, and it may say many."""
DATA_SIZE = 16_000_000
"""Bytes of a mail, unless the door says otherwise (`data_size_limit`)."""
DATA_SECONDS = 600.0
"""For a whole mail: 27 KB/s for the largest."""
REPLY_BYTES = 510
TOO_MANY = b"421 4.7.0 too many connections, try again later\r\n"
CLOSING = b"421 4.3.2 closing, try again soon\r\n"
TROUBLE = "451 4.3.0 trouble here, try again later"
THEIR_TOO_LARGE = "552 Error: message size exceeds fixed maximum message size"
"""Of `MAIL FROM … SIZE=`, which is what clients announce: it names no size."""
_USUAL_ADDRESS = re.compile(r"<([\w.+=-]{1,64}@[\w.-]{1,255})>(.*)", re.ASCII)


class _Sizes(dict[str, int]):
    """How long the line of a command may be. A `defaultdict` keeps every name that it is asked for."""

    def __missing__(self, command: str) -> int:
        return COMMAND_BYTES


class Dialogue(SMTP):
    """One connection. `handler` has aiosmtpd's hooks (`handle_MAIL`, `auth_LOGIN`, …), and is of this one alone."""

    transport: Any
    envelope: Any

    line_length_limit = PIECE
    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"
    greeting = "ESMTP ready"
    go_ahead = "354 go ahead"
    refuses_bare = True
    """Whether a mail with a bare CR or a NUL is refused; else the hook sees them."""

    kept_size: int | None = None
    """Bytes of a mail that the hook sees; None: all."""

    def __init__(self, handler: Any, room: Room, **options: Any) -> None:
        """`options` are aiosmtpd's."""
        super().__init__(handler, ident=self.greeting, timeout=UNKNOWN_IDLE, **options)
        self._most = self.data_size_limit or DATA_SIZE
        self.room = room
        self.command_size_limits = _Sizes()  # aiosmtpd has one for all connections
        self._unknown_until: float | None = self.loop.time() + UNKNOWN_SECONDS
        self._is_refused = False
        self._is_busy = False
        self._is_dismissed = False

    def require_auth(self) -> None:
        """Nothing but greetings before the client has signed in. (The option of this name warns of missing TLS.)"""
        self._auth_required = True

    @property
    def address(self) -> str:
        """Of the client."""
        peer = self.session.peer if self.session else None
        return str(peer[0]) if peer else ""

    def connection_made(self, transport: Any) -> None:
        peer = transport.get_extra_info("peername")
        if self._original_transport is None and not self.room.connections.enter(self, str(peer[0]) if peer else ""):
            self._is_refused = True
            transport.write(TOO_MANY)
            transport.close()
            return
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._is_refused:
            super().data_received(data)

    def eof_received(self) -> bool | None:
        return None if self._is_refused else super().eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_refused:
            self.room.connections.leave(self)
            super().connection_lost(error)

    def dismiss(self) -> None:
        """The door closes: now, or once the mail under way is answered."""
        self._is_dismissed = True
        if not self._is_busy:
            self._say_goodbye(CLOSING)

    async def hang_up(self, reply: str) -> None:
        """The last reply of this dialogue."""
        await self.push(reply)
        self._say_goodbye(b"")

    def _say_goodbye(self, words: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(words)
            self.transport.close()

    def stay(self, seconds: float = IDLE) -> None:
        """How long the next command may take to come, from now on: this client is known."""
        self._unknown_until = None
        self._timeout_duration = seconds
        self._reset_timeout()

    def _reset_timeout(self, duration: float | None = None) -> None:
        seconds = duration or self._timeout_duration
        if self._unknown_until is not None:
            seconds = min(seconds, max(self._unknown_until - self.loop.time(), 0.001))
        super()._reset_timeout(seconds)

    def _timeout_cb(self) -> None:
        """At once: a client that reads none of our replies would keep a connection that waits to say them."""
        if self.transport is not None:
            self.transport.abort()

    async def push(self, status: str | bytes) -> None:
        """Say one line of ASCII, whatever it is made of."""
        said = status.decode(errors="replace") if isinstance(status, bytes) else status
        said = self._too_large if said == THEIR_TOO_LARGE else said
        line = one_line(said).encode("ascii", "replace")[:REPLY_BYTES] if said[:4] != "334 " else said.encode()
        await super().push(line)

    @property
    def _too_large(self) -> str:
        return f"{Unread.TOO_LARGE} of {self._most} bytes"

    async def handle_exception(self, error: Exception) -> str:
        """What must not happen, or trouble that passes: the client shall try again."""
        if isinstance(error, TLSSetupException):
            return "454 4.7.0 TLS failed"
        log.error("smtp_dialogue_failed", error=type(error).__name__)
        return TROUBLE

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """The usual address without the standard library's parser, which takes longer than all else of a command."""
        usual = _USUAL_ADDRESS.fullmatch(arg)
        return (usual[1], usual[2]) if usual else super()._getaddr(arg)

    async def smtp_STARTTLS(self, arg: str | None) -> None:
        """Once: aiosmtpd would put TLS into TLS."""
        if self.tls_context and self._tls_protocol:
            await self.push("503 5.5.1 TLS is on already")
            return
        await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg: str | None) -> None:
        """Names of mechanisms in any case (RFC 4422 §3.1)."""
        mechanism, blank, rest = (arg or "").partition(" ")
        await super().smtp_AUTH(mechanism.upper() + blank + rest)

    async def smtp_DATA(self, arg: str | None) -> None:
        """In place of aiosmtpd's own, see `smtp.received_data`."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 need RCPT first")
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no argument")
            return
        self._is_busy = True
        try:
            await self.push(self.go_ahead)
            self._reset_timeout(DATA_SECONDS)
            await self.push(await self._received())
        finally:
            self._is_busy = False
            self._set_post_data_state()
            if self.transport is not None:
                self._reset_timeout()
        if self._is_dismissed:
            self._say_goodbye(CLOSING)

    async def _received(self) -> str:
        """Read the mail, give it to the hook; the reply."""
        with self.room.memory.share(self.room.connections.owner(self)) as share:
            content = await read_data(self._reader, self._most, share, self.kept_size)
            if isinstance(content, Unread):
                return self._too_large if content is Unread.TOO_LARGE else content
            if self.refuses_bare and has_bare(content):
                return Unread.BARE
            self.envelope.content = content
            return str(await self._call_handler_hook("DATA"))
