"""RSA2 as Alipay signs: SHA256withRSA (PKCS #1 v1.5) over sorted ``name=value`` pairs, or over an answer's JSON."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


class Signer:
    """Signs as the pay desk, checks what the merchant signed."""

    def __init__(self, own_private: str, their_public: str) -> None:
        own = serialization.load_pem_private_key(own_private.encode(), None)
        theirs = serialization.load_pem_public_key(their_public.encode())
        if not isinstance(own, rsa.RSAPrivateKey) or not isinstance(theirs, rsa.RSAPublicKey):
            raise ValueError("RSA2 needs RSA keys")
        self._own, self._theirs = own, theirs

    def sign(self, text: str) -> str:
        """The signature in base64."""
        return base64.b64encode(self._own.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()

    def is_theirs(self, params: Mapping[str, str]) -> bool:
        """Whether a request is signed by the merchant: over all its parameters that are not empty but ``sign``."""
        text = joined({name: value for name, value in params.items() if name != "sign" and value})
        try:
            signature = base64.b64decode(params.get("sign", ""), validate=True)
            self._theirs.verify(signature, text.encode(), padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True

    def signed_form(self, values: Mapping[str, str]) -> dict[str, str]:
        """A notification, or what the browser carries back: ``sign_type`` is not signed."""
        return {**values, "sign": self.sign(joined(values)), "sign_type": "RSA2"}

    def answer(self, method: str, content: Mapping[str, Any]) -> str:
        """The JSON of an answer, signed over the very characters of its content."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return f'{{"{_response(method)}":{text},"sign":"{self.sign(text)}"}}'


def unsigned_answer(method: str, content: Mapping[str, Any]) -> str:
    """What Alipay says to a request that it cannot attribute."""
    return json.dumps({_response(method): content}, ensure_ascii=False, separators=(",", ":"))


def joined(values: Mapping[str, str]) -> str:
    """``a=1&b=2``, sorted, not quoted."""
    return "&".join(f"{name}={value}" for name, value in sorted(values.items()))


def _response(method: str) -> str:
    return method.replace(".", "_") + "_response"
