"""The cookies of our pages: their names and flags, in one place.

Browsers keep cookies by host and do not look at the port (RFC 6265 §8.5), so two stacks on one machine would take each
other's. Behind HTTPS a prefix ties a cookie to the host, so that a neighbour under the same domain cannot plant it.
"""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from domain.policy import Policy


def full_name(policy: Policy, name: str, path: str = "/") -> str:
    """As the browser knows it: `__Host-name`, `__Secure-name` for one path, or over HTTP `name_8600` by the port."""
    if policy.secure_cookies:
        return f"__Host-{name}" if path == "/" else f"__Secure-{name}"
    port = urlsplit(policy.public_url).port
    return f"{name}_{port}" if port else name


def given(request: HTTPConnection, name: str, path: str = "/") -> str:
    """The value that the browser sent, or an empty string. Not checked."""
    return request.cookies.get(full_name(_policy(request), name, path), "")


def keep(request: HTTPConnection, response: Response, name: str, value: str, seconds: int, path: str = "/") -> None:
    """Have the browser keep a value that no script reads and no other site's form sends."""
    policy = _policy(request)
    response.set_cookie(
        full_name(policy, name, path), value, max_age=seconds, path=path,
        httponly=True, samesite="lax", secure=policy.secure_cookies,
    )  # fmt: skip


def drop(request: HTTPConnection, response: Response, name: str, path: str = "/") -> None:
    """Have the browser forget it."""
    policy = _policy(request)
    response.delete_cookie(
        full_name(policy, name, path), path=path, httponly=True, samesite="lax", secure=policy.secure_cookies
    )


def _policy(request: HTTPConnection) -> Policy:
    policy: Policy = request.app.state.services.foundation.policy
    return policy
