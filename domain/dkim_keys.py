"""DKIM key pairs: RSA-2048, which every receiver verifies (RFC 8301 §3.2)."""

import base64

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

KEY_BITS = 2048


def new_key_pair() -> tuple[bytes, str]:
    """(PKCS#8 PEM of the private key, base64 of the SubjectPublicKeyInfo for tag `p`, RFC 6376 §3.6.1).

    Takes some 100 ms of CPU: call it in a thread. The caller seals the private half before it is stored.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return private, base64.b64encode(public).decode()
