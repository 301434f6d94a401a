"""DKIM signatures (RFC 6376, RFC 8301): rsa-sha256, relaxed/relaxed, From over-signed, never `l=`.

dkimpy signs RSA in pure Python, some 5 ms a message; this needs one `cryptography` call. dkimpy verifies in the tests.
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SIGNED = (
    b"from",
    b"to",
    b"subject",
    b"date",
    b"message-id",
    b"reply-to",
    b"mime-version",
    b"content-type",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"feedback-id",
)
_SPACE = re.compile(rb"[ \t\r\n]+")
_INNER_SPACE = re.compile(rb"[ \t]+")


@dataclass(frozen=True)
class SigningKey:
    """One sender domain's key. `domain` is the `d=` tag, in ASCII."""

    domain: str
    selector: str
    private: RSAPrivateKey


def load_key(domain: str, selector: str, pem: bytes) -> SigningKey:
    """Parse a PKCS#8 PEM. Raises `ValueError` when it is not an RSA key."""
    private = load_pem_private_key(pem, password=None)
    if not isinstance(private, RSAPrivateKey):
        raise ValueError("DKIM keys are RSA here")
    return SigningKey(domain, selector, private)


def sign(message: bytes, key: SigningKey, at: int) -> bytes:
    """The message with a DKIM-Signature in front. `message` has CRLF lines; `at` is Unix time (tag `t`)."""
    head, _, body = message.partition(b"\r\n\r\n")
    fields = _fields(head + b"\r\n")
    names = [name for name in SIGNED if name in fields]
    listed = [b"from", *names]  # From once more than it occurs: an added From breaks the signature
    digest = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest())
    unsigned = _unsigned_value(key, at, listed, digest)
    hashed = b"".join(_relaxed_field(name, fields[name]) + b"\r\n" for name in names)
    hashed += _relaxed_field(b"dkim-signature", unsigned)
    signature = base64.b64encode(key.private.sign(hashed, PKCS1v15(), SHA256()))
    folded = b"\r\n ".join(signature[i : i + 72] for i in range(0, len(signature), 72))
    return b"DKIM-Signature:" + unsigned + folded + b"\r\n" + message


def _unsigned_value(key: SigningKey, at: int, names: list[bytes], body_hash: bytes) -> bytes:
    return b" v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s; s=%s; t=%d;\r\n h=%s;\r\n bh=%s;\r\n b=" % (
        key.domain.encode(),
        key.selector.encode(),
        at,
        b":".join(names),
        body_hash,
    )


def _fields(head: bytes) -> dict[bytes, bytes]:
    """Field values by lower-case name, folding kept; Songda writes each field once."""
    found: dict[bytes, bytes] = {}
    for match in re.finditer(rb"([^:\r\n]+):((?:[^\r\n]|\r\n[ \t])*)\r\n", head):
        found[match[1].strip().lower()] = match[2]
    return found


def _relaxed_field(name: bytes, value: bytes) -> bytes:
    """RFC 6376 §3.4.2."""
    return name + b":" + _SPACE.sub(b" ", value).strip()


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 §3.4.4."""
    lines = [_INNER_SPACE.sub(b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"\r\n".join(lines) + b"\r\n" if lines else b""
