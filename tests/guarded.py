"""Whether an answer of ours carries what every answer must."""

import re

import httpx2

KEPT = ("/static/", "/assets/", "/docs/assets/")
"""Files that browsers may keep."""
FRAMED = [("'none'", "DENY"), ("'self'", "SAMEORIGIN")]
"""Nowhere; and what is sandboxed, on our own pages."""
HTTPS = "strict-transport-security"


def missing(answer: httpx2.Response) -> list[str]:
    """What an answer of ours lacks."""
    found, path = answer.headers, answer.url.path
    policy = dict(part.strip().partition(" ")[::2] for part in found.get("content-security-policy", "").split(";"))
    preview = "sandbox" in policy
    scripts = policy.get("script-src", policy.get("default-src", "*"))
    wanted = {
        "no default-src": policy.get("default-src") == "'none'",
        "inline scripts": not re.search(r"unsafe|\*|https?:", scripts),
        "framing": (policy.get("frame-ancestors"), found.get("x-frame-options")) in FRAMED[: 1 + preview],
        "nosniff": found.get("x-content-type-options") == "nosniff",
        "referrer-policy": found.get("referrer-policy") in ("same-origin", "no-referrer"),
        "no-store": found.get("cache-control") == "no-store" or path.startswith(KEPT),
        "talkative": not {"server", "x-powered-by"} & found.keys(),
        "HSTS on HTTP": HTTPS not in found,
    }
    return [name for name, good in wanted.items() if not good]
