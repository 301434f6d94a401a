"""Keys derived from the master secret: encryption at rest, HMACs of tokens and API keys, link tokens."""

import base64
import hashlib
import hmac
import secrets

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

API_KEY_PREFIX = "sk_"
SMS_KEY_PREFIX = "smsk_"
SESSION_PREFIX = "st_"
PREFIX_SHOWN = 10


def derive(master: str, purpose: str) -> bytes:
    """32 bytes for one purpose (HKDF-SHA256, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(master.encode())


class Vault:
    """Seals secrets for the database and digests tokens. `binding` ties a sealed value to its row."""

    def __init__(self, master: str) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(derive(master, "songda/seal")))
        self._pepper = derive(master, "songda/digest")
        self.link_key = derive(master, "songda/links")
        """Of the tokens in links of mails (`domain.link_tokens`)."""
        self.verp_key = derive(master, "songda/verp")
        """Of the return paths of mails (`domain.verp`)."""

    def seal(self, secret: bytes, binding: str) -> bytes:
        """Encrypt for the row that `binding` names (Fernet has no associated data, so the plaintext carries it)."""
        return self._fernet.encrypt(binding.encode() + b"\0" + secret)

    def unseal(self, sealed: bytes, binding: str) -> bytes:
        """Raises `InvalidToken` when the value was altered, moved to another row, or sealed by another key."""
        owner, _, secret = self._fernet.decrypt(sealed).partition(b"\0")
        if not hmac.compare_digest(owner, binding.encode()):
            raise InvalidToken
        return secret

    def digest(self, token: str) -> bytes:
        """HMAC-SHA-256 of a random token: look it up by equality; the token cannot be had back."""
        return hmac.new(self._pepper, token.encode(), hashlib.sha256).digest()


def new_token(prefix: str = "") -> str:
    """A random token of 32 bytes, base64url, with a recognisable prefix."""
    return prefix + secrets.token_urlsafe(32)
