"""The parameters of a call of SendCloud's API: query string and form, merged (reference/sendcloud-api.md §1).

Read here and not by FastAPI's forms, which take as long as all the rest of an accept.
"""

import re
from collections.abc import Iterator

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from api.sendcloud.envelope import Failure
from domain.whole_text import whole

MOST = 100
"""Parameters of one call; the longest documented one has some thirty."""
LARGEST = 4 * 2**20
"""Bytes of a form without files: a template of 500 kB, escaped for the wire, and `xsmtpapi` beside it."""
MANY_FILES = 50
_ESCAPES = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")
_FORM = "application/x-www-form-urlencoded"
_PARTS = "multipart/form-data"


class Parameters(dict[str, str]):
    """By name, as they were given. `files` names the parameters that came as files."""

    files: tuple[str, ...] = ()

    def text(self, name: str) -> str:
        """Empty where it was not given: clients send what they have not set as an empty string."""
        return self.get(name, "").strip()

    def flag(self, name: str, code: int, default: bool) -> bool:
        """`true` or `false` in any case (Python's client says `True`). Raises `Failure` with this code."""
        said = self.text(name).lower()
        if said not in ("", "true", "false"):
            raise Failure(code, name, said)
        return said == "true" if said else default

    def several(self, name: str) -> list[str]:
        """A list of values with `;` between them; empty ones are left out."""
        return [part for each in self.get(name, "").split(";") if (part := each.strip())]


async def read(request: Request) -> Parameters:
    """Raises `Failure` for a body that is no form, is too large or does not come to its end."""
    found = Parameters(decode(request.scope["query_string"]))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == _FORM:
            found.update(decode(await _body(request)))
        elif kind == _PARTS:
            await _read_parts(request, found)
    except ClientDisconnect as gone:
        raise Failure(40901, detail="请求不完整") from gone
    if len(found) > MOST:
        raise Failure(40901, detail=f"参数个数不能超过{MOST}")
    return found


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST:
            raise Failure(40901, detail=f"请求不能超过{LARGEST // 2**20}MB")
        chunks.append(chunk)
    return b"".join(chunks)


async def _read_parts(request: Request, found: Parameters) -> None:
    try:
        async with request.form(max_files=MANY_FILES, max_fields=MOST, max_part_size=LARGEST) as form:
            pairs = form.multi_items()
            found.update({whole(name): whole(value) for name, value in pairs if isinstance(value, str)})
            found.files = tuple(name for name, value in pairs if isinstance(value, UploadFile) and value.filename)
    except HTTPException as problem:  # which Starlette makes of what it cannot read
        raise Failure(40901, detail=str(problem.detail)) from problem
    except UnicodeError as problem:  # of a charset that Python knows and that is none, `undefined` say
        raise Failure(40901, detail="不支持的charset") from problem


def decode(encoded: bytes) -> Iterator[tuple[str, str]]:
    """The pairs of a query string or form; a name without `=` is an empty value. What is no UTF-8 becomes U+FFFD."""
    for pair in encoded.split(b"&", MOST):
        name, _, value = pair.partition(b"=")
        if name:
            yield _decoded(name), _decoded(value)


def _decoded(text: bytes) -> str:
    if b"+" in text:
        text = text.replace(b"+", b" ")
    if b"%" in text:
        text = _ESCAPES.sub(_unescaped, text)
    return text.decode("utf-8", "replace")


def _unescaped(run: re.Match[bytes]) -> bytes:
    """A whole run at once: text in Chinese is little else."""
    return bytes.fromhex(run[0].replace(b"%", b"").decode("ascii"))
