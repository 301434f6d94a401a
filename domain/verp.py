"""Return paths that name their message: `b+<26 characters>@<bounce host>` (VERP, reference §1.5).

The 26 characters are base32 of a message id and a keyed MAC, eight octets each: nobody can name a message whose mail
they have not seen. Local parts may be folded to capitals on their way, so letters count in either case.

Message-IDs carry a token of their own: replies and archives show those to senders and to the world, and a return path
says that a recipient does not exist.
"""

import base64
import hashlib
import hmac
import re
import struct
from enum import StrEnum

MAC_OCTETS = 8
"""64 bits: to guess one, a forger would ask our door 2^63 times."""
LOCAL_PREFIX = "b+"
MAX_MESSAGE = 2**63 - 1

_ID = struct.Struct(">Q")
_PADDING = "=" * 6
_RETURN_PATH = re.compile(r"b\+([a-z2-7]{26})@([a-z0-9.-]{1,253})", re.IGNORECASE | re.ASCII)
_TOKENS = re.compile(r"[a-z2-7]{26,}", re.IGNORECASE | re.ASCII)
_MESSAGE_ID = re.compile(r"\.([a-z2-7]{26})@", re.IGNORECASE | re.ASCII)


class Use(StrEnum):
    """Where a token stands; one is no good for the other. At most 16 octets."""

    RETURN_PATH = ""
    MESSAGE_ID = "message-id"


def make_token(key: bytes, message: int, use: Use = Use.RETURN_PATH) -> str:
    """The 26 characters, lower-case; `key` is `Vault.verp_key`. Raises `struct.error` for what can be no row's id."""
    said = _ID.pack(message)
    return base64.b32encode(said + _mac(key, said, use))[:26].lower().decode()


def read_token(key: bytes, token: str, use: Use = Use.RETURN_PATH) -> int | None:
    """The message; None for whatever we did not make. Takes as long for a near miss as for any other."""
    try:
        said = base64.b32decode(token.upper() + _PADDING)[: _ID.size]
    except ValueError:
        return None
    (message,) = _ID.unpack(said)
    right = hmac.compare_digest(make_token(key, message, use), token.lower()) and message <= MAX_MESSAGE
    return message if right else None


def return_path(token: str, host: str) -> str:
    """The envelope sender of the message that the token names: 28 octets before the `@` (RFC 5321 §4.5.3.1.1: 64)."""
    return f"{LOCAL_PREFIX}{token}@{host}"


def read_return_path(key: bytes, address: str) -> int | None:
    """The message that a return path of ours names, whichever of our hosts it is at."""
    found = _RETURN_PATH.fullmatch(address)
    return None if found is None else read_token(key, found[1])


def read_message_id(key: bytes, message_id: str) -> int | None:
    """The message whose Message-ID this is: what a complaint quotes when the provider has cut out everything else."""
    found = _MESSAGE_ID.search(message_id)
    return None if found is None else read_token(key, found[1], Use.MESSAGE_ID)


def hidden(text: str) -> str:
    """A server's words without tokens: customers read them, and servers like to quote whom a mail is from.

    Who has the return path of a mail speaks for its recipient's server: for the platform the recipient may be gone.
    """
    return _TOKENS.sub("…", text)


def _mac(key: bytes, said: bytes, use: Use) -> bytes:
    """Keyed BLAKE2b (RFC 7693 §2.9), as in the tokens of links."""
    if not key:
        raise ValueError("return paths need a key")
    return hashlib.blake2b(said, key=key, digest_size=MAC_OCTETS, person=use.encode()).digest()
