"""How each route is called when a test goes through the route table. Add yours here.

A route that names an object in its path and wants a body goes to `BODIES`; a change that names none to `OWN`. In bodies
and queries `{name}` is the first account's object of that name, see `furnish` in `tests/tenants_world.py`.
"""

from typing import Any

from tests.accounts_world import PASSWORD

CONTENT = {"subject": "Hello %name%", "html": "<p>Dear %name%</p>"}

OPEN = {
    ("POST", "/v1/registrations"),
    ("POST", "/v1/registrations/resend"),
    ("POST", "/v1/registrations/address"),
    ("POST", "/v1/registrations/confirm"),
    ("POST", "/v1/sessions"),
    ("POST", "/v1/password-resets"),
    ("POST", "/v1/password-resets/complete"),
    ("POST", "/v1/contact"),
    ("POST", "/v1/invitations/accept"),
    ("GET", "/console/login"),
    ("POST", "/console/login"),
    ("GET", "/console/enrol"),
    ("POST", "/console/enrol"),
    ("GET", "/console/logout"),
    ("POST", "/console/logout"),
}
"""For visitors without an account: secrets in their bodies stand for a login, and their own tests look at them."""
STREAMS = {("GET", "/v1/onboarding/events"), ("GET", "/portal/onboarding/events")}
"""They go on for ever; they name no object, and are the caller's own."""

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/v1/api-users/{api_user_id}"): {"json": {"enabled": False}},
    ("PATCH", "/v1/webhooks/{webhook_id}"): {"json": {"state": "disabled"}},
    ("PATCH", "/v1/certifications/{certification_id}"): {"json": {"website": "bobs.example.com"}},
    ("POST", "/v1/certifications/{certification_id}/documents"): {
        "data": {"part": "id_front"},
        "files": {"file": ("x.png", b"x", "image/png")},
    },
    ("POST", "/portal/certification/{certification_id}"): {"data": {"website": "bobs.example.com"}},
    ("PATCH", "/v1/members/{member_id}"): {"json": {"role": "viewer"}},
    ("POST", "/v1/members/{member_id}/ownership"): {"json": {"password": PASSWORD}},
    ("POST", "/portal/members/{member_id}/role"): {"data": {"role": "viewer"}},
    ("PUT", "/v1/templates/{ref}"): {"json": CONTENT},
    ("POST", "/v1/templates/{ref}/preview"): {"json": {"values": {}}},
    ("POST", "/portal/templates/{ref}/edit"): {"data": CONTENT | {"name": "x"}},
    ("POST", "/portal/api-users/{api_user_id}/bind"): {"data": {"domain": "{domain_id}"}},
    ("POST", "/portal/api-users/{api_user_id}/unbind"): {"data": {"domain": "{domain_id}"}},
    ("POST", "/portal/api-users/{api_user_id}/change"): {"data": {"enabled": "false"}},
    ("POST", "/portal/webhooks/{webhook_id}"): {"data": {"url": "https://a.example/x", "events": "deliver"}},
}
"""What a call of a route that names an object needs, so that nothing but the object is missing."""

_SEND = {"api_user": "{api_user}", "template": "{template}", "from": "x@{domain}"}
OWN: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/v1/account"): {"json": {"language": "en"}},
    ("PUT", "/v1/account/password"): {"json": {"current": "wrong", "new": "another four words here"}},
    ("DELETE", "/v1/sessions"): {},
    ("POST", "/v1/domains"): {"json": {"name": "{domain}"}},
    ("POST", "/v1/api-users"): {"json": {"name": "bobs_own", "kind": "batch", "domain_ids": ["{domain_id}"]}},
    ("POST", "/v1/templates"): {"json": CONTENT | {"invoke_name": "{template}", "kind": "trigger"}},
    ("POST", "/v1/templates/preview"): {"json": CONTENT},
    ("POST", "/v1/sends"): {"json": _SEND | {"recipients": [{"address": "r@x.example"}]}},
    ("POST", "/v1/sends/upload"): {"data": _SEND, "files": {"file": ("r.csv", b"email\nr@x.example\n", "text/csv")}},
    ("POST", "/v1/recharges"): {"json": {"amount": "100.00"}},
    ("POST", "/portal/recharges"): {"data": {"amount": "100.00"}},
    ("POST", "/v1/webhooks"): {"json": {"url": "https://b.example/hook", "events": ["deliver"]}},
    ("POST", "/v1/certifications"): {"json": {"kind": "individual"}},
    ("POST", "/portal/certification"): {"data": {"kind": "individual"}},
    ("POST", "/v1/members"): {"json": {"email": "carol@third.example", "role": "viewer"}},
    ("POST", "/portal/members"): {"data": {"email": "carl@third.example", "role": "viewer"}},
    ("POST", "/portal/members/owner"): {"data": {"heir": "{member_id}", "password": PASSWORD}},
    ("POST", "/portal/account/password"): {"data": {"current": "wrong", "new": "another four words here"}},
    ("POST", "/portal/account/language"): {"data": {"language": "en"}},
    ("POST", "/portal/account/sessions/revoke-others"): {"data": {}},
    ("POST", "/portal/domains"): {"data": {"name": "{domain}"}},
    ("POST", "/portal/api-users"): {"data": {"name": "bobs_two", "kind": "batch", "domains": "{domain_id}"}},
    ("POST", "/portal/templates"): {"data": CONTENT | {"invoke_name": "{template}", "kind": "trigger"}},
    ("POST", "/portal/templates/preview"): {"data": CONTENT},
    ("POST", "/portal/sends/new"): {"data": _SEND | {"recipients": "email\nr@x.example\n", "step": "send"}},
    ("POST", "/portal/test-send"): {"data": _SEND},
    ("POST", "/portal/webhooks/new"): {"data": {"url": "https://b.example/hook2", "events": "deliver"}},
}
"""Changes that name no object in their path: in the body, whatever can name one names the first account's."""
QUERIES = {
    "/portal/sends/new": "?template={template}&api_user={api_user}",
    "/portal/test-send": "?template={template}&api_user={api_user}",
    "/portal/api-users": "?domain={domain_id}",
    "/v1/domains": "?cursor={domain_id}",
    "/v1/api-users": "?cursor={api_user_id}",
    "/v1/sends": "?cursor={send_id}",
    "/v1/templates": "?cursor={ref}",
    "/v1/webhooks": "?cursor={webhook_id}",
    "/v1/recharges": "?cursor={recharge_id}",
    "/portal/recharges": "?after={recharge_id}",
    "/v1/certifications": "?cursor={certification_id}",
}
"""Lists that are asked to begin at, or to choose, the first account's object."""
