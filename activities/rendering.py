"""From a message row to signed bytes. Contents, compiled, and keys are kept per process: many messages share them."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID
from weakref import WeakValueDictionary

from domain import dkim
from domain.compiled_mail import CompiledMail, House, Recipient, compile_mail
from domain.secrets import Vault
from domain.transport import Mail
from store.contents import SubmissionContent, load_content
from store.db import Database

CONTENTS_KEPT = 500
CHARACTERS_KEPT = 8_000_000
"""Of all contents that are kept; compiled, a character takes some five bytes."""
LARGE = 50_000
"""Characters of a content whose compiling would hold up the process's other connections."""

_Key = tuple[UUID, UUID | None]


@dataclass
class _Kept:
    content: SubmissionContent
    compiled: CompiledMail | ValueError
    """Or why it cannot be: each of its messages ends with that."""

    @property
    def size(self) -> int:
        return len(self.content.html) + len(self.content.text)


class Renderer:
    """`content` loads what a submission is made of, `render` makes one mail of it.

    A content is kept as it was loaded: an API user's switches reach mails of submissions that are not in memory.
    """

    def __init__(self, db: Database, vault: Vault, bounce_host: str, tracking_url: str = "", own_url: str = "") -> None:
        """Without a `tracking_url` mails hold no links of ours. Links to `own_url` are never tracked."""
        self._db = db
        self._vault = vault
        own = (own_url,) if own_url else ()
        self._house = House(bounce_host, vault.verp_key, tracking_url, vault.link_key, own)
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._size = 0
        self._loading: WeakValueDictionary[_Key, asyncio.Lock] = WeakValueDictionary()
        self._keys: dict[UUID, dkim.SigningKey] = {}

    async def content(self, submission: UUID, version: UUID | None = None) -> SubmissionContent:
        """What a submission's mails are made of, in another template version when one is named."""
        key = (submission, version)
        if key not in self._kept:
            # Many connections of a page ask at once; one of them loads.
            lock = self._loading.setdefault(key, asyncio.Lock())
            async with lock:
                if key not in self._kept:
                    self._keep(key, await self._load(submission, version))
        self._kept.move_to_end(key)
        return self._kept[key].content

    def render(self, message: Recipient, content: SubmissionContent) -> Mail:
        """Fill, compose and sign: the same bytes at every try. Raises `ValueError` when no mail can be made of it."""
        compiled = self._compiled(content)
        if isinstance(compiled, ValueError):
            raise compiled
        return compiled.mail(message, self._key(content))

    async def _load(self, submission: UUID, version: UUID | None) -> _Kept:
        async with self._db.pool.acquire() as connection:
            content = await load_content(connection, submission, version)
        if len(content.html) + len(content.text) < LARGE:
            return _Kept(content, _compile(content, self._house))
        return _Kept(content, await asyncio.to_thread(_compile, content, self._house))

    def _keep(self, key: _Key, kept: _Kept) -> None:
        if (old := self._kept.pop(key, None)) is not None:
            self._size -= old.size
        self._kept[key] = kept
        self._size += kept.size
        while len(self._kept) > 1 and (len(self._kept) > CONTENTS_KEPT or self._size > CHARACTERS_KEPT):
            self._size -= self._kept.popitem(last=False)[1].size

    def _compiled(self, content: SubmissionContent) -> CompiledMail | ValueError:
        for key in ((content.submission_id, content.version_id), (content.submission_id, None)):
            kept = self._kept.get(key)
            if kept is not None and kept.content is content:
                return kept.compiled
        return self._compile_anew(content)

    def _compile_anew(self, content: SubmissionContent) -> CompiledMail | ValueError:
        """For a content that was put out of memory since, or that never came from here."""
        kept = _Kept(content, _compile(content, self._house))
        self._keep((content.submission_id, content.version_id), kept)
        return kept.compiled

    def _key(self, content: SubmissionContent) -> dkim.SigningKey:
        key = self._keys.get(content.domain_id)
        if key is None:
            pem = self._vault.unseal(content.dkim_private, f"domain/{content.domain_id}")
            key = self._keys[content.domain_id] = dkim.load_key(content.signing_domain, content.dkim_selector, pem)
        return key


def _compile(content: SubmissionContent, house: House) -> CompiledMail | ValueError:
    try:
        return compile_mail(content, house)
    except ValueError as error:
        return error
