"""Private files: sealed by us, under random keys, in a local folder or an S3 bucket (docs/decisions/0013).

Whoever copies the folder or the bucket holds ciphertext; whoever moves one file to another's key holds nothing.
"""

import asyncio
import os
import secrets
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from domain.secrets import Vault


def new_key() -> str:
    """A random name for one file; says nothing of its owner or of what it is."""
    return secrets.token_hex(20)


class PaperStore:
    """Private files under random keys, sealed. `folder` is where they are when they are local."""

    def __init__(self, store: ObjectStore, vault: Vault, folder: Path | None = None) -> None:
        self._store = store
        self._vault = vault
        self._folder = folder

    @classmethod
    def open(cls, url: str, vault: Vault) -> "PaperStore":
        """At `file:///folder` (made, for us alone) or `s3://bucket/prefix` (keys and region from `AWS_…`).

        Raises `OSError` when the folder cannot be made or written.
        """
        parts = urlsplit(url)
        if parts.scheme != "file":
            return cls(from_url(url), vault)
        folder = Path(unquote(parts.path))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        return cls(LocalStore(prefix=folder), vault, folder)

    async def put(self, key: str, data: bytes) -> None:
        """Keep; durable on return."""
        sealed = await asyncio.to_thread(self._vault.seal, data, _binding(key))
        await obstore.put_async(self._store, key, sealed)
        if self._folder is not None:
            await asyncio.to_thread(_settle, self._folder, key)

    async def get(self, key: str) -> bytes:
        """Raises `FileNotFoundError`, and `InvalidToken` for a file that was altered or moved."""
        try:
            answer = await obstore.get_async(self._store, key)
        except (NotFoundError, FileNotFoundError) as error:
            raise FileNotFoundError(key) from error
        sealed = bytes(await answer.bytes_async())
        return await asyncio.to_thread(self._vault.unseal, sealed, _binding(key))

    async def delete(self, key: str) -> None:
        """Forget; a missing one is no error."""
        try:
            await obstore.delete_async(self._store, key)
        except (NotFoundError, FileNotFoundError):
            return


def _binding(key: str) -> str:
    return f"paper/{key}"


def _settle(folder: Path, key: str) -> None:
    """Readable by us alone, and on the disk: the library does neither."""
    path = folder / key
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    for each in (path, folder):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
