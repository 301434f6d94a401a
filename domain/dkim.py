"""DKIM signatures (RFC 6376, RFC 8301): rsa-sha256, relaxed/relaxed, over-signed, never `l=`.

Signed is what a recipient sees or a machine acts on. Fields of which there must be one are named once more than they
occur, so that none can be added. The caller hands over canonical forms, since it made the mail and knows them;
dkimpy and OpenDKIM verify in the tests. (dkimpy signs RSA in pure Python, some 5 ms a message.)
"""

import base64
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

OVERSIGNED = ("from", "to", "cc", "subject", "date", "message-id", "reply-to", "mime-version", "content-type")
"""Named once more than they occur (RFC 6376 §8.15). Receivers keep one of each; an added one would be shown."""
_PADDING = PKCS1v15()
_HASH = SHA256()
_FOLD = 72


@dataclass(frozen=True)
class SigningKey:
    """One sender domain's key. `domain` is the `d=` tag, in ASCII."""

    domain: str
    selector: str
    private: RSAPrivateKey


@dataclass(frozen=True)
class SignedNames:
    """The value of tag `h`: folded for the field, and as its canonical form has it."""

    folded: bytes
    canonical: bytes


def load_key(domain: str, selector: str, pem: bytes) -> SigningKey:
    """Parse a PKCS#8 PEM. Raises `ValueError` when it is not an RSA key."""
    private = load_pem_private_key(pem, password=None)
    if not isinstance(private, RSAPrivateKey):
        raise ValueError("DKIM keys are RSA here")
    return SigningKey(domain, selector, private)


def signed_names(present: list[str]) -> SignedNames:
    """Tag `h` for fields that occur once each, in the order in which they are hashed."""
    lines = [""]
    for name in (*present, *OVERSIGNED):
        if lines[-1] and len(lines[-1]) + len(name) > _FOLD:
            lines.append("")
        lines[-1] += f"{name.lower()}:"
    lines[-1] = lines[-1].rstrip(":")
    return SignedNames("\r\n ".join(lines).encode(), " ".join(lines).encode())


def signature(key: SigningKey, names: SignedNames, at: int, body_digest: bytes, fields: bytes) -> bytes:
    """The DKIM-Signature field for a mail.

    `at` is Unix time (tag `t`), `body_digest` the SHA-256 of the canonical body, `fields` the canonical fields in the
    order of `names`, each with its CRLF. The same arguments give the same bytes (RFC 8017 §8.2 has no randomness).
    """
    who = f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={key.domain}; s={key.selector}; t={at};".encode()
    digest = base64.b64encode(body_digest)
    hashed = b"%bdkim-signature:%b h=%b; bh=%b; b=" % (fields, who, names.canonical, digest)
    value = base64.b64encode(key.private.sign(hashed, _PADDING, _HASH))
    folded = b"\r\n ".join(value[start : start + _FOLD] for start in range(0, len(value), _FOLD))
    return b"DKIM-Signature: %b\r\n h=%b;\r\n bh=%b; b=\r\n %b\r\n" % (who, names.folded, digest, folded)
