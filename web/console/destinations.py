"""/console/destinations: how destinations are reached, encrypted or not, by MX or through a smart host."""

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.destinations import Match, PolicyEntry, lanes_with_rules, read_policy
from domain.errors import Refusal
from domain.lanes import lane_title
from domain.operators import Operator
from domain.transport import Tls
from store.destinations import DestinationPolicy
from web.console.pages import (
    acted,
    again,
    language_of,
    render,
    see,
    served,
    translator,
    unless_about_the_page,
)
from web.console.sessions import SignedOperator
from web.i18n import mark as _

router = APIRouter(prefix="/console/destinations")
PAGE = "console/destinations.html"
PLACE = "/console/destinations"
MOST_NOTE = 200
Text = Annotated[str, Form()]
MATCHES = {
    Match.DOMAIN: _("收件域名（及其下级）"),
    Match.MX: _("收信服务器（MX）的域名"),
    Match.LANE: _("通道"),
}
TLS = {
    Tls.OPPORTUNISTIC: _("尽量加密"),
    Tls.REQUIRED: _("必须加密，不验证证书"),
    Tls.VERIFIED: _("必须加密，并验证证书"),
    Tls.NONE: _("不加密"),
}


@router.get("")
async def listed(request: Request, operator: SignedOperator, rule: UUID | None = None, to: str = "") -> Response:
    """All rules; with `?rule=` the form that changes one, with `?to=` how that recipient would be reached."""
    shown = await _shown(request, operator, rule)
    values = _values(shown["chosen"]) | {"to": to}
    if not to:
        return render(request, PAGE, values=values, **shown)
    try:
        way = await served(request).destination_desk.way(operator, to)
    except Refusal as refusal:
        unless_about_the_page(refusal)
        return again(request, PAGE, refusal, values, address=PLACE, **shown)
    return render(request, PAGE, values=values, **shown | {"way": way})


@router.post("")
async def add(
    request: Request, operator: SignedOperator, match: Text = "", pattern: Text = "", tls: Text = "",
    smart_hosts: Text = "", user: Text = "", password: Text = "", note: Text = "",
) -> Response:  # fmt: skip
    """One more rule."""
    typed = {"match": match, "pattern": pattern, "tls": tls, "smart_hosts": smart_hosts, "user": user, "note": note}
    try:
        await served(request).destination_desk.add(operator, read_typed(typed, password))
    except Refusal as refusal:
        return await _again(request, operator, None, refusal, typed)
    return see(PLACE, request, translator(request)("规则已添加，约一秒内生效。"))


@router.post("/{policy_id}")
async def change(
    request: Request, operator: SignedOperator, policy_id: UUID, tls: Text = "", smart_hosts: Text = "",
    user: Text = "", password: Text = "", note: Text = "", row_version: Annotated[int, Form()] = -1,
) -> Response:  # fmt: skip
    """How, not what it is about. A blank password leaves the one that is kept."""
    typed = {"tls": tls, "smart_hosts": smart_hosts, "user": user, "note": note}
    try:
        kept = await _kept(request, operator, policy_id)
        entry = read_typed(typed | {"match": kept.match, "pattern": kept.pattern}, password)
        await served(request).destination_desk.change(operator, policy_id, entry, row_version)
    except Refusal as refusal:
        return await _again(request, operator, policy_id, refusal, typed)
    return see(PLACE, request, translator(request)("规则已保存，约一秒内生效。"))


@router.post("/{policy_id}/remove")
async def remove(request: Request, operator: SignedOperator, policy_id: UUID) -> Response:
    """What it was about goes the usual way again."""
    act = served(request).destination_desk.remove(operator, policy_id)
    return await acted(request, PLACE, act, "规则已删除，约一秒内生效。")


def read_typed(typed: dict[str, str], password: str) -> PolicyEntry:
    """Raises the refusals of `read_policy`, and `text_too_long` on `note`."""
    if len(typed["note"]) > MOST_NOTE:
        raise Refusal("text_too_long", field="note", limit=MOST_NOTE)
    entry = read_policy(typed["match"], typed["pattern"], typed["tls"], typed["smart_hosts"])
    note = typed["note"].replace("\0", "").strip()
    return replace(entry, user=typed["user"].strip(), password=password or None, note=note)


async def _kept(request: Request, operator: Operator, policy_id: UUID) -> DestinationPolicy:
    rules = await served(request).destination_desk.listed(operator)
    found = next((each for each in rules if each.id == policy_id), None)
    if found is None:
        raise Refusal("not_found", what="destination")
    return found


async def _again(
    request: Request, operator: Operator, rule: UUID | None, refusal: Refusal, typed: dict[str, str]
) -> Response:
    """The form once more: with what was typed, and the message at its field."""
    unless_about_the_page(refusal)
    shown = await _shown(request, operator, rule)
    address = f"{PLACE}?rule={rule}" if rule else PLACE
    return again(request, PAGE, refusal, _values(shown["chosen"]) | typed, address=address, **shown)


async def _shown(request: Request, operator: Operator, rule: UUID | None) -> dict[str, Any]:
    desk, language, say = served(request).destination_desk, language_of(request), translator(request)
    rules = await desk.listed(operator)
    return {
        "rules": rules,
        "chosen": next((each for each in rules if each.id == rule), None),
        "otherwise": desk.otherwise,
        "titles": {lane: lane_title(lane, language) for lane in (*lanes_with_rules(), "relay")},
        "MATCHES": MATCHES,
        "TLS": TLS,
        "matches": [(match.value, say(text)) for match, text in MATCHES.items()],
        "ways_of_tls": [(tls.value, say(text)) for tls, text in TLS.items()],
        "way": None,
    }


def _values(row: DestinationPolicy | None) -> dict[str, Any]:
    if row is None:
        return {"tls": Tls.OPPORTUNISTIC.value, "match": Match.DOMAIN.value}
    return {
        "match": row.match, "pattern": row.pattern, "tls": row.tls, "smart_hosts": "\n".join(row.smart_hosts),
        "user": row.login_user, "note": row.note,
    }  # fmt: skip
