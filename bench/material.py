"""What the baselines send: the very mails of the campaign that was measured, rendered by the same code."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from uuid import UUID

from activities.rendering import Renderer
from bench.ground import Ground
from domain.secrets import Vault
from domain.transport import Mail
from store.contents import SubmissionContent, load_content
from store.db import Database
from store.pages import PageMessage

BOUNCE_HOST = "bounce.songda.example"
_MESSAGES = """
SELECT m.id, m.submission_id, m.account_id, m.ordinal, m.address, m.variables, 0 AS attempts, 0 AS round,
       false AS possible_duplicate, s.expires_at
FROM message m JOIN submission s ON s.id = m.submission_id
WHERE m.submission_id = $1 ORDER BY m.ordinal LIMIT $2
"""


@dataclass(frozen=True)
class Material:
    """One content, and the messages to make of it."""

    secret: str
    public_url: str
    """Where the links of the mails lead."""
    content: SubmissionContent
    messages: list[PageMessage]

    def renderer(self) -> "Rendering":
        return Rendering(self)

    def save(self, path: Path) -> Path:
        """For other processes of this bench: only what we wrote ourselves is read back."""
        path.write_bytes(pickle.dumps(self))
        path.chmod(0o600)
        return path


class Rendering:
    """The worker's own renderer, which needs no database once it has the content."""

    def __init__(self, material: Material) -> None:
        self._content = material.content
        nowhere = cast(Database, None)
        url = material.public_url
        self._renderer = Renderer(nowhere, Vault(material.secret), BOUNCE_HOST, url, url)

    def mail(self, message: PageMessage) -> Mail:
        """Filled and signed."""
        return self._renderer.render(message, self._content)


def load(path: Path) -> Material:
    """What `save` wrote."""
    found = pickle.loads(path.read_bytes())  # noqa: S301 - the bench's own file in the bench's own folder
    assert isinstance(found, Material)  # noqa: S101 - for mypy
    return found


async def of_submission(place: Ground, submission: UUID, most: int) -> Material:
    """The content and the first messages of a submission of that stack."""
    async with place.db.raw() as connection:
        content = await load_content(connection, submission)
        rows = await connection.fetch(_MESSAGES, submission, most)
    return Material(place.secret, place.api_url, content, [PageMessage(**dict(row)) for row in rows])
