"""How each route is called when a test goes through the route table. Add yours here.

A route that names an object in its path and wants a body goes to `BODIES`; a change that names none to `OWN`. In bodies
and queries `{name}` is an account's object of that name, see `furnish` in `tests/tenants_world.py`. Bodies are such
that the owner's call succeeds, which `tests/test_tenants.py` proves: else the refusal of another's would say nothing.
"""

import datetime as dt
import importlib
import pkgutil
import re
from dataclasses import dataclass
from typing import Any

from api import sendcloud
from domain.times import SHANGHAI
from tests import schedules_two, sms_proofs_two
from tests.accounts_world import PASSWORD
from tests.paper_samples import picture
from tests.sms_hooks_two import BLOCKED, BLOCKED_BY_OTHERS
from tests.sms_two_world import SMS_OPEN

CONTENT = {"subject": "Hello %name%", "html": "<p>Dear %name%</p>"}
MEMBERS = ("m.csv", b"email,name\nm@a.cn,M\n", "text/csv")
CONTACTS = ("c.csv", b"phone,userName\n13800138000,M\n", "text/csv")
NEW_PASSWORD = "another four words here"

_SECRET = "a secret in its body or cookie stands for a sign-in: a password, a mail's link, a registration's handle"
_NAMED = "`apiUser` and `apiKey` among the parameters stand for a sign-in: see tests/api/test_sendcloud_mail.py"
_FORM = "the form before such a POST; it says what its own cookie or link says"
_JOIN = "how one becomes a customer; it names nobody's account"
_LETTER = "whoever cannot sign in must be able to write to us; counted per visitor"
_LEAVE = "ends the session of the cookie, if there is one"
_ONWARD = "only leads to a page that asks for itself"
_PUBLIC = "says the same to everybody"
_MAIL = "a link in a customer's mail: its recipient has no account, and the token is signed by us"

OPEN: dict[tuple[str, str], str] = {
    ("POST", "/v1/registrations"): _JOIN,
    ("POST", "/v1/registrations/resend"): _SECRET,
    ("POST", "/v1/registrations/address"): _SECRET,
    ("POST", "/v1/registrations/confirm"): _SECRET,
    ("GET", "/v1/registrations/challenge"): _PUBLIC,
    ("POST", "/v1/registrations/phone"): _SECRET,
    ("POST", "/v1/registrations/phone/confirm"): _SECRET,
    ("POST", "/v1/sessions"): _SECRET,
    ("POST", "/v1/password-resets"): "mails a link to the address of a member, and says nothing",
    ("POST", "/v1/password-resets/complete"): _SECRET,
    ("POST", "/v1/contact"): _LETTER,
    ("POST", "/v1/invitations/accept"): _SECRET,
    ("POST", "/callbacks/alipay/notify"): "the provider's signature stands for a sign-in",
    ("GET", "/t/c/{click_token}"): _MAIL,
    ("HEAD", "/t/c/{click_token}"): _MAIL,
    ("GET", "/t/o/{open_token}"): _MAIL,
    ("HEAD", "/t/o/{open_token}"): _MAIL,
    ("GET", "/t/u/{unsubscribe_token}"): _MAIL,
    ("HEAD", "/t/u/{unsubscribe_token}"): _MAIL,
    ("POST", "/t/u/{unsubscribe_token}"): _MAIL,
    ("GET", "/apiv2/mail/send"): _NAMED,
    ("POST", "/apiv2/mail/send"): _NAMED,
    ("GET", "/"): _PUBLIC,
    ("GET", "/portal"): _ONWARD,
    ("GET", "/console"): _ONWARD,
    ("GET", "/register"): _JOIN,
    ("POST", "/register"): _JOIN,
    ("GET", "/register/check-mail"): _FORM,
    ("POST", "/register/resend"): _SECRET,
    ("POST", "/register/address"): _SECRET,
    ("GET", "/register/phone"): _FORM,
    ("POST", "/register/phone"): _SECRET,
    ("POST", "/register/phone/confirm"): _SECRET,
    ("GET", "/confirm"): _FORM,
    ("POST", "/confirm"): _SECRET,
    ("GET", "/login"): _FORM,
    ("POST", "/login"): _SECRET,
    ("POST", "/logout"): _LEAVE,
    ("GET", "/forgot"): _FORM,
    ("POST", "/forgot"): "mails a link to the address of a member, and says nothing",
    ("GET", "/reset"): _FORM,
    ("POST", "/reset"): _SECRET,
    ("GET", "/contact"): _LETTER,
    ("POST", "/contact"): _LETTER,
    ("GET", "/invitation"): _FORM,
    ("POST", "/invitation"): _SECRET,
    ("GET", "/console/login"): _FORM,
    ("POST", "/console/login"): _SECRET,
    ("GET", "/console/enrol"): _FORM,
    ("POST", "/console/enrol"): _SECRET,
    ("GET", "/console/logout"): _ONWARD,
    ("POST", "/console/logout"): _LEAVE,
    ("GET", "/docs"): _PUBLIC,
    ("GET", "/openapi.json"): _PUBLIC,
    ("GET", "/healthz"): _PUBLIC,
}
"""For visitors without an account, and why. Their own tests look at the secrets."""
OPEN |= {
    (method, route.path): "the signature of an SMS user's key stands for it: see tests/api/test_sendcloud_sms*.py"
    for module in pkgutil.iter_modules(sendcloud.__path__, "api.sendcloud.")
    for route in getattr(importlib.import_module(module.name), "ROUTES", ())
    for method in ("GET", "POST")
}
FILES: dict[str, str] = {
    "/docs/assets": "Swagger UI of its wheel",
    "/assets": "Tabler of the starlette-admin wheel",
    "/console/static": "the same, where starlette-admin's own pages look for it",
    "/static": "our scripts and style sheets",
}
"""Folders that are served to everybody, and what is in them."""
STREAMS = {
    ("GET", "/v1/onboarding/events"),
    ("GET", "/portal/onboarding/events"),
    ("GET", "/v1/campaigns/{campaign_id}/events"),
    ("GET", "/portal/campaigns/{campaign_id}/events"),
    ("GET", "/portal/scheduled-tasks/{task_id}/events"),
    ("GET", "/portal/address-lists/{list_id}/imports/{import_id}/events"),
    ("GET", "/portal/contact-lists/{contact_list_id}/imports/{contact_import_id}/events"),
}
"""They go on for ever, or as long as what they name."""

FROM_ANYWHERE = {("POST", "/t/u/{unsubscribe_token}"): "mail providers post it (RFC 8058), and no cookie is asked for"}
"""Changes of pages that need no token of our forms, and why."""

AN_HOUR_AGO = dt.datetime.now(SHANGHAI) - dt.timedelta(hours=1)
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/v1/api-users/{api_user_id}"): {"json": {"enabled": False}},
    ("PATCH", "/v1/webhooks/{webhook_id}"): {"json": {"state": "disabled"}},
    ("POST", "/v1/webhooks/{webhook_id}/replays"): {"json": {"since": AN_HOUR_AGO.isoformat()}},
    ("POST", "/portal/webhooks/{webhook_id}/replay"): {"data": {"since": f"{AN_HOUR_AGO:%Y-%m-%dT%H:%M}"}},
    ("PATCH", "/v1/certifications/{certification_id}"): {"json": {"website": "bobs.example.com"}},
    ("POST", "/v1/certifications/{certification_id}/documents"): {
        "data": {"part": "id_front"},
        "files": {"file": ("x.png", picture("PNG"), "image/png")},
    },
    ("POST", "/portal/certification/{certification_id}"): {"data": {"website": "bobs.example.com"}},
    ("PATCH", "/v1/members/{member_id}"): {"json": {"role": "viewer"}},
    ("POST", "/v1/members/{member_id}/ownership"): {"json": {"password": PASSWORD}},
    ("POST", "/portal/members/{member_id}/role"): {"data": {"role": "viewer"}},
    ("PATCH", "/v1/address-lists/{list_id}"): {"json": {"name": "x"}},
    ("POST", "/v1/address-lists/{list_id}/members"): {"json": {"members": [{"address": "n@a.cn"}]}},
    ("POST", "/v1/address-lists/{list_id}/members/remove"): {"json": {"addresses": ["m@a.cn"]}},
    ("PUT", "/v1/address-lists/{list_id}/members/{address}"): {"json": {"variables": {"name": "x"}}},
    ("POST", "/v1/address-lists/{list_id}/imports"): {"files": {"file": MEMBERS}},
    ("POST", "/portal/address-lists/{list_id}"): {"data": {"name": "x", "alias": "of-nobody"}},
    ("POST", "/portal/address-lists/{list_id}/member"): {"data": {"address": "n@a.cn"}},
    ("POST", "/portal/address-lists/{list_id}/member/remove"): {"data": {"address": "m@a.cn"}},
    ("POST", "/portal/address-lists/{list_id}/import"): {"files": {"file": MEMBERS}},
    ("PATCH", "/v1/contact-lists/{contact_list_id}"): {"json": {"name": "x"}},
    ("POST", "/v1/contact-lists/{contact_list_id}/contacts"): {"json": {"contacts": [{"phone": "13800138001"}]}},
    ("POST", "/v1/contact-lists/{contact_list_id}/contacts/remove"): {"json": {"phones": ["13800138000"]}},
    ("POST", "/v1/contact-lists/{contact_list_id}/imports"): {"files": {"file": CONTACTS}},
    ("POST", "/portal/contact-lists/{contact_list_id}"): {"data": {"name": "x"}},
    ("POST", "/portal/contact-lists/{contact_list_id}/contact"): {"data": {"phone": "13800138001"}},
    ("POST", "/portal/contact-lists/{contact_list_id}/import"): {"files": {"file": CONTACTS}},
    ("PUT", "/v1/templates/{ref}"): {"json": CONTENT},
    ("POST", "/v1/templates/{ref}/preview"): {"json": {"values": {}}},
    ("POST", "/portal/templates/{ref}/edit"): {"data": CONTENT | {"name": "x"}},
    ("POST", "/portal/api-users/{api_user_id}/bind"): {"data": {"domain": "{domain_id}"}},
    ("POST", "/portal/api-users/{api_user_id}/unbind"): {"data": {"domain": "{domain_id}"}},
    ("POST", "/portal/api-users/{api_user_id}/change"): {"data": {"enabled": "false"}},
    ("POST", "/portal/webhooks/{webhook_id}"): {"data": {"url": "https://a.example/x", "events": "deliver"}},
    **sms_proofs_two.BODIES,
    **schedules_two.BODIES,
}
"""What a call of a route that names an object needs, so that nothing but the object is missing."""
_IMPORTING = "UPDATE list_import SET state = 'running', finished_at = NULL"
_REJECTED = "UPDATE certification SET state = 'rejected', submitted_at = now()"
_APPROVED = "UPDATE certification SET state = 'approved'"
_NO_APPLICATION = "DELETE FROM document; DELETE FROM certification"
_SUBMITTED = "UPDATE template_version SET state = 'submitted', submitted_at = now() WHERE state = 'draft'"
_FAILING = "UPDATE webhook_endpoint SET failing_since = now(), next_attempt_at = now() + interval '1 hour'"
_DISABLED = "UPDATE webhook_endpoint SET state = 'disabled', disabled_by = 'customer', disabled_at = now()"
_SCHEDULED = "UPDATE campaign SET state = 'scheduled', finished_at = NULL"
_PAUSED = "UPDATE campaign SET state = 'paused', paused_from = 'scheduled', finished_at = NULL"
_NEWER = f"""{_SCHEDULED}; INSERT INTO template_version (SELECT (jsonb_populate_record(v, jsonb_build_object(
    'id', gen_random_uuid(), 'number', v.number + 50, 'state', 'approved'))).* FROM template_version v)"""
BEFORE: dict[tuple[str, str], str] = {
    ("POST", "/v1/campaigns/{campaign_id}/pause"): _SCHEDULED,
    ("POST", "/v1/campaigns/{campaign_id}/resume"): _PAUSED,
    ("POST", "/v1/campaigns/{campaign_id}/cancel"): _SCHEDULED,
    ("POST", "/v1/campaigns/{campaign_id}/revise"): _NEWER,
    ("POST", "/portal/campaigns/{campaign_id}/pause"): _SCHEDULED,
    ("POST", "/portal/campaigns/{campaign_id}/resume"): _PAUSED,
    ("POST", "/portal/campaigns/{campaign_id}/cancel"): _SCHEDULED,
    ("POST", "/portal/campaigns/{campaign_id}/revise"): _NEWER,
    ("POST", "/v1/address-lists/{list_id}/imports/{import_id}/cancel"): _IMPORTING,
    ("POST", "/portal/address-lists/{list_id}/imports/{import_id}/cancel"): _IMPORTING,
    ("POST", "/v1/contact-lists/{contact_list_id}/imports/{contact_import_id}/cancel"): _IMPORTING,
    ("POST", "/portal/contact-lists/{contact_list_id}/imports/{contact_import_id}/cancel"): _IMPORTING,
    ("POST", "/v1/certifications/{certification_id}/correct"): _REJECTED,
    ("POST", "/portal/certification/{certification_id}/correct"): _REJECTED,
    ("POST", "/v1/certifications"): _NO_APPLICATION,
    ("POST", "/portal/certification"): _NO_APPLICATION,
    ("POST", "/v1/sms"): SMS_OPEN,
    ("POST", "/portal/sms-sends/new"): SMS_OPEN,
    ("POST", "/portal/sms-test"): SMS_OPEN,
    ("POST", "/v1/sms/interceptions/unblock-requests"): BLOCKED_BY_OTHERS,
    ("POST", "/portal/sms-interceptions/ask"): BLOCKED_BY_OTHERS,
    ("POST", "/v1/recharges"): _APPROVED,
    ("POST", "/portal/recharges"): _APPROVED,
    ("POST", "/v1/templates/{ref}/withdraw"): _SUBMITTED,
    ("POST", "/portal/templates/{ref}/withdraw"): _SUBMITTED,
    ("POST", "/v1/webhooks/{webhook_id}/retry"): _FAILING,
    ("POST", "/portal/webhooks/{webhook_id}/retry"): _FAILING,
    ("POST", "/portal/webhooks/{webhook_id}/enable"): _DISABLED,
    **sms_proofs_two.BEFORE,
    **schedules_two.BEFORE,
}
"""What is true of both accounts when the call is made, where it is not what `tests/owners_world.py` leaves."""


@dataclass(frozen=True)
class Own:
    """A change that names no object in its path."""

    options: dict[str, Any]
    own: int
    """The answer to whoever owns everything that the body names."""
    others: int = 404
    """The answer when one of the body's names is of another account's object."""
    mails: bool = False
    """The platform writes a letter then."""


_SEND = {"api_user": "{api_user}", "template": "{template}", "from": "x@{domain}"}
_PASTED = {"recipients": "email,name\nr@x.example,R\n", "step": "send"}
_TO_ONE = {"recipients": [{"address": "r@x.example", "variables": {"name": "R"}}]}
_BATCH = {"api_user": "{batch_user}", "template": "{batch_template}", "from": "x@{domain}", "lists": ["{list_id}"]}
_CAMPAIGN = _BATCH | {"name": "Autumn", "lives_hours": "24"}
_NUMBERS = ("n.csv", b"phone\n13800138006\n", "text/csv")
_TEXT = {"sms_user": "{sms_user}", "template": "{sms_template}"}
_FILE = ("r.csv", b"email,name\nr@x.example,R\n", "text/csv")
OWN: dict[tuple[str, str], Own] = {
    ("PATCH", "/v1/account"): Own({"json": {"language": "en"}}, 200),
    ("PUT", "/v1/account/password"): Own({"json": {"current": PASSWORD, "new": NEW_PASSWORD}}, 204, mails=True),
    ("DELETE", "/v1/sessions"): Own({}, 204),
    # One's own number. A code wants a proof of work that works once; see tests/services/test_phone_codes.py.
    ("POST", "/v1/account/phone"): Own({"json": {"phone": "13800138000", "proof": "x"}}, 422),
    ("POST", "/v1/account/phone/confirm"): Own({"json": {"code": "000000"}}, 410),
    ("DELETE", "/v1/account/phone"): Own({}, 204),
    ("POST", "/portal/account/phone"): Own({"data": {"phone": "13800138000", "proof": "x"}}, 422),
    ("POST", "/portal/account/phone/confirm"): Own({"data": {"code": "000000"}}, 410),
    ("POST", "/portal/account/phone/remove"): Own({"data": {}}, 303),
    # Two accounts may want one name: whose it is, its DNS records say (201). One's own is there already.
    ("POST", "/v1/domains"): Own({"json": {"name": "{domain}"}}, 409, 201),
    ("POST", "/portal/domains"): Own({"data": {"name": "{domain}"}}, 409, 303),
    ("POST", "/v1/api-users"): Own({"json": {"name": "bobs_own", "kind": "batch", "domain_ids": ["{domain_id}"]}}, 201),
    ("POST", "/portal/api-users"): Own({"data": {"name": "bobs_two", "kind": "batch", "domains": "{domain_id}"}}, 303),
    # Names of templates are each account's own.
    ("POST", "/v1/templates"): Own({"json": CONTENT | {"invoke_name": "{template}", "kind": "trigger"}}, 409, 201),
    ("POST", "/portal/templates"): Own({"data": CONTENT | {"invoke_name": "{template}", "kind": "trigger"}}, 409, 303),
    ("POST", "/v1/templates/preview"): Own({"json": CONTENT}, 200),
    ("POST", "/portal/templates/preview"): Own({"data": CONTENT}, 200),
    # Alias addresses are unique on the platform: nobody's list may be taken over by its name.
    ("POST", "/v1/address-lists"): Own({"json": {"name": "{domain}"}}, 201, 201),
    ("POST", "/portal/address-lists"): Own({"data": {"name": "{domain}"}}, 303, 303),
    # Names of contact lists are each account's own.
    ("POST", "/v1/contact-lists"): Own({"json": {"name": "{domain}"}}, 201, 201),
    ("POST", "/portal/contact-lists"): Own({"data": {"name": "{domain}"}}, 303, 303),
    ("POST", "/v1/campaigns"): Own({"json": _BATCH | {"name": "Autumn"}}, 202, 422),
    ("POST", "/portal/campaigns/new"): Own({"data": _CAMPAIGN | {"step": "check", "to": "create"}}, 303, 422),
    ("POST", "/v1/sends"): Own({"json": _SEND | _TO_ONE}, 202, 422),
    ("POST", "/v1/sends/upload"): Own({"data": _SEND, "files": {"file": _FILE}}, 202, 422),
    ("POST", "/portal/sends/new"): Own({"data": _SEND | _PASTED}, 303, 422),
    ("POST", "/portal/test-send"): Own({"data": _SEND | {"var_name": "R"}}, 303, 422),
    ("POST", "/v1/sms"): Own({"json": _TEXT | {"recipients": [{"phone": "13800138002"}]}}, 202, 422),
    ("POST", "/portal/sms-sends/new"): Own({"data": _TEXT | {"phones": "13800138003"}}, 303, 422),
    ("POST", "/portal/sms-test"): Own({"data": _TEXT | {"phones": "13800138003", "way": "template"}}, 303, 422),
    ("POST", "/v1/recharges"): Own({"json": {"amount": "100.00"}}, 201),
    ("POST", "/portal/recharges"): Own({"data": {"amount": "100.00"}}, 303),
    ("POST", "/v1/suppressions"): Own({"json": {"addresses": ["r@x.example"]}}, 201),
    ("POST", "/portal/suppressions"): Own({"data": {"addresses": "r@x.example"}}, 303),
    ("POST", "/v1/suppressions/import"): Own({"files": {"file": _FILE}}, 200),
    ("POST", "/portal/suppressions/import"): Own({"files": {"file": _FILE}}, 303),
    ("POST", "/v1/suppressions/remove"): Own({"json": {"ids": ["{suppression_id}"]}}, 200, 404),
    ("POST", "/portal/suppressions/remove"): Own({"data": {"ids": "{suppression_id}"}}, 303, 404),
    ("POST", "/v1/sms/interceptions/remove"): Own({"json": {"ids": ["{sms_interception_id}"]}}, 200, 404),
    ("POST", "/portal/sms-interceptions/remove"): Own({"data": {"ids": "{sms_interception_id}"}}, 303, 404),
    ("POST", "/v1/sms/interceptions/unblock-requests"): Own({"json": {"phone": BLOCKED, "note": "in service"}}, 201),
    ("POST", "/portal/sms-interceptions/ask"): Own({"data": {"phone": BLOCKED, "note": "in service"}}, 303),
    ("POST", "/v1/sms/opt-outs"): Own({"json": {"phones": ["13800138004"]}}, 201),
    ("POST", "/portal/sms-opt-outs"): Own({"data": {"phones": "13800138005"}}, 303),
    ("POST", "/v1/sms/opt-outs/import"): Own({"files": {"file": _NUMBERS}}, 200),
    ("POST", "/portal/sms-opt-outs/import"): Own({"files": {"file": _NUMBERS}}, 303),
    ("POST", "/v1/sms/opt-outs/remove"): Own({"json": {"ids": ["{sms_opt_out_id}"]}}, 200, 404),
    ("POST", "/portal/sms-opt-outs/remove"): Own({"data": {"ids": "{sms_opt_out_id}"}}, 303, 404),
    ("POST", "/v1/webhooks"): Own({"json": {"url": "https://b.example/hook", "events": ["deliver"]}}, 201),
    ("POST", "/portal/webhooks/new"): Own({"data": {"url": "https://b.example/hook2", "events": "deliver"}}, 303),
    ("POST", "/v1/certifications"): Own({"json": {"kind": "individual"}}, 201),
    ("POST", "/portal/certification"): Own({"data": {"kind": "individual"}}, 303),
    ("POST", "/v1/members"): Own({"json": {"email": "carol@third.example", "role": "viewer"}}, 201, mails=True),
    ("POST", "/portal/members"): Own({"data": {"email": "carl@third.example", "role": "viewer"}}, 303, mails=True),
    ("POST", "/portal/members/owner"): Own({"data": {"heir": "{member_id}", "password": PASSWORD}}, 303),
    ("POST", "/portal/account/password"): Own(
        {"data": {"current": PASSWORD, "new": NEW_PASSWORD, "repeated": NEW_PASSWORD}}, 303, mails=True
    ),
    ("POST", "/portal/account/language"): Own({"data": {"language": "en"}}, 303),
    ("POST", "/portal/account/sessions/revoke-others"): Own({"data": {}}, 303),
    **{key: Own(*case) for key, case in (sms_proofs_two.OWN | schedules_two.OWN).items()},
}
"""Changes that name no object in their path: in the body, whatever can name one."""


def names_in(value: Any) -> list[str]:
    """The objects that a body names."""
    if isinstance(value, str):
        return re.findall(r"{(\w+)}", value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [name for part in parts for name in names_in(part)]


QUERIES = {
    **sms_proofs_two.QUERIES,
    **schedules_two.QUERIES,
    "/v1/sms/statistics": "?from=2026-11-01&to=2026-11-30",
    "/portal/sends/new": "?template={template}&api_user={api_user}",
    "/portal/test-send": "?template={template}&api_user={api_user}",
    "/portal/api-users": "?domain={domain_id}",
    "/v1/domains": "?cursor={domain_id}",
    "/v1/address-lists": "?cursor={list_id}",
    "/portal/address-lists": "?after={list_id}",
    "/v1/contact-lists": "?cursor={contact_list_id}",
    "/portal/contact-lists": "?after={contact_list_id}",
    "/v1/api-users": "?cursor={api_user_id}",
    "/v1/campaigns": "?cursor={campaign_id}",
    "/portal/campaigns": "?after={campaign_id}",
    "/portal/campaigns/new": "?template={batch_template}",
    "/v1/sends": "?cursor={send_id}",
    "/v1/templates": "?cursor={ref}",
    "/v1/suppressions": "?cursor={suppression_id}",
    "/portal/suppressions": "?after={suppression_id}",
    "/v1/suppressions/lookup": "?address=nobody@first.example",
    "/portal/suppressions/lookup": "?address=nobody@first.example",
    "/v1/sms/interceptions": "?cursor={sms_interception_id}",
    "/portal/sms-interceptions": "?after={sms_interception_id}",
    "/v1/sms/interceptions/lookup": "?phone=13800138001",
    "/v1/sms/replies": "?cursor={sms_reply_id}",
    "/portal/sms-replies": "?after={sms_reply_id}",
    "/v1/sms/opt-outs": "?cursor={sms_opt_out_id}",
    "/portal/sms-opt-outs": "?after={sms_opt_out_id}",
    "/v1/webhooks": "?cursor={webhook_id}",
    "/v1/recharges": "?cursor={recharge_id}",
    "/portal/recharges": "?after={recharge_id}",
    "/v1/certifications": "?cursor={certification_id}",
}
"""Lists that are asked to begin at, or to choose, another account's object."""
