"""People at browsers: pages over HTTP with cookies and the forms' own tokens, as a browser without script uses them."""

import asyncio
import html
import json
import re
import sys
from pathlib import Path

import httpx2
import pyotp

from demo.parties import DemoFailure, Http, eventually

_HIDDEN = re.compile(r'<input type="hidden" name="([\w.]+)" value="([^"]*)"')
_PAPER = re.compile(r'href="(/console/cases/certification-review/[\w-]+/papers/[\w-]+)"')
HOUSE = Path(__file__).parent.parent


class Browser:
    """Keeps cookies; a form is posted with the hidden fields of the page that it is on."""

    def __init__(self, base: str) -> None:
        self._http = Http(base)

    async def close(self) -> None:
        await self._http.close()

    async def page(self, path: str) -> str:
        """The page's HTML, redirects followed. Raises `DemoFailure` when it is refused."""
        answer = await self._http.send("GET", path, follow_redirects=True)
        if answer.status_code >= 400:
            raise DemoFailure(f"GET {path}: HTTP {answer.status_code}")
        return answer.text

    async def submit(self, path: str, action: str, fields: dict[str, str]) -> httpx2.Response:
        """Fill in the form on the page `path`, which posts to `action`."""
        hidden = {name: html.unescape(value) for name, value in _HIDDEN.findall(await self.page(path))}
        return await self._http.send("POST", action, data=hidden | fields)

    async def sign_in(self, email: str, password: str) -> None:
        """At the portal."""
        answer = await self.submit("/login", "/login", {"email": email, "password": password})
        if answer.status_code != 303:
            raise DemoFailure(f"POST /login: HTTP {answer.status_code}")


class Reviewer:
    """An operator at the console."""

    def __init__(self, base: str, data: str) -> None:
        self._browser = Browser(base)
        self._data = data
        self.name = ""

    async def close(self) -> None:
        await self._browser.close()

    async def sign_in(self, name: str) -> None:
        """As a new operator, whom the command line makes: password, then the code of the authenticator.

        A code counts once; when the answer to it was lost, a second operator takes over.
        """
        given = await eventually(lambda: added(name, self._data), f"`songda operators add {name}`", every=1.0)
        code = pyotp.TOTP(given["secret"]).now()
        fields = {"name": given["name"], "password": given["password"], "code": code}
        answer = await self._browser.submit("/console/login", "/console/login", fields)
        if answer.status_code != 303:
            raise DemoFailure(f"the console refused the operator's sign-in: HTTP {answer.status_code}")
        self.name = given["name"]

    async def see(self, certification: str) -> int:
        """Open the case and every paper of it; how many papers there are."""
        papers = set(_PAPER.findall(await self._browser.page(_case(certification))))
        for paper in papers:
            await self._browser.page(paper)
        return len(papers)

    async def decide(self, certification: str, decision: str, parts: dict[str, str]) -> None:
        """By the form of the case, with a reason for each part that is objected to."""
        objections = {f"part.{part}": reason for part, reason in parts.items()}
        reason = "；".join(parts.values())
        fields = {"decision": decision, "reason": reason, **objections}
        answer = await self._browser.submit(_case(certification), f"{_case(certification)}/decide", fields)
        if answer.status_code not in (303, 409):  # 409: a try whose answer was lost has decided already
            raise DemoFailure(f"the console refused the decision: HTTP {answer.status_code}")


def _case(certification: str) -> str:
    return f"/console/cases/certification-review/{certification}"


async def added(name: str, data: str) -> dict[str, str] | None:
    """What `songda operators add` says of a new operator; None when it could not, as while the database restarts."""
    arguments = ["-m", "cli", "operators", "add", name, "--role", "reviewer", "--json", "--data", data]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=HOUSE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    said, _ = await process.communicate()
    if process.returncode != 0:
        return None
    given: dict[str, str] = json.loads(said)
    return given
