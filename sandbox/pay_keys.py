"""The keys of the pretend Alipay: a pair of ours (the merchant's) and one of the pay desk's, made once and kept."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

APP_ID = "9021000100000001"
SELLER_ID = "2088000000000001"


@dataclass(frozen=True)
class PayKeys:
    """PEM texts. A merchant needs `app_private` and `desk_public`; the pay desk the other two."""

    app_private: str = field(repr=False)
    app_public: str
    desk_private: str = field(repr=False)
    desk_public: str


def kept_keys(folder: Path) -> PayKeys:
    """The pairs in ``folder``, made at the first call; raises OSError when it cannot be written."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    app, desk = _kept(folder / "merchant.pem"), _kept(folder / "pay-desk.pem")
    return PayKeys(_private(app), _public(app), _private(desk), _public(desk))


def _kept(path: Path) -> rsa.RSAPrivateKey:
    if not path.exists():
        _write(path, _private(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"{path} holds no RSA key; delete it to have one made")
    return key


def _write(path: Path, text: str) -> None:
    """In one step, mode 600: a kill in the middle leaves nothing, and two makers at once agree on one key."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    try:
        os.link(unfinished, path)
    except FileExistsError:
        pass  # the other one was first
    finally:
        unfinished.unlink()


def _private(key: rsa.RSAPrivateKey) -> str:
    text: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return text.decode()


def _public(key: rsa.RSAPrivateKey) -> str:
    text: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return text.decode()
