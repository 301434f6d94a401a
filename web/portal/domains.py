"""/portal/domains: sender domains, the records to publish, and what was found of them, live."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from domain.domain_records import Hint, merged_spf, txt_strings
from domain.domains import NEEDED, DomainState, Purpose, RecordState, host_label, shown
from domain.errors import Refusal
from services.domains import DomainView
from store.domains import DomainRecord
from web.i18n import mark as _
from web.pages import Caller, Signed, again, language_of, refused, render, see, served, translator

router = APIRouter(prefix="/portal/domains")

PAGE = 20
LONG = 255
STATES = {
    DomainState.PENDING: (_("等待解析"), "warning"),
    DomainState.USABLE: (_("可使用"), "success"),
    DomainState.BROKEN: (_("解析失效"), "danger"),
    DomainState.LOST: (_("已归属其他账户"), "danger"),
}
RECORD_STATES = {
    RecordState.UNCHECKED: (_("尚未检查"), "secondary"),
    RecordState.OK: (_("正确"), "success"),
    RecordState.MISSING: (_("未找到"), "warning"),
    RecordState.WRONG: (_("不一致"), "danger"),
    RecordState.CLAIMED: (_("属于其他账户"), "danger"),
    RecordState.UNREACHABLE: (_("DNS 无应答"), "secondary"),
}
PURPOSES = {
    Purpose.OWNERSHIP: (_("所有权"), _("证明域名由您的账户使用。")),
    Purpose.SPF: ("SPF", _("允许本平台代您发信。")),
    Purpose.DKIM: ("DKIM", _("收件方用它验证邮件签名。")),
    Purpose.DMARC: ("DMARC", _("告诉收件方如何处理未通过验证的邮件。")),
    Purpose.MX: (_("退信"), _("接收退信。")),
    Purpose.TRACKING: (_("跟踪域名"), _("打开和点击链接使用您自己的域名。")),
}
HINTS = {
    Hint.OTHER_TOKEN: _("这里发布的是另一个账户的值，请改成上面的值。"),
    Hint.HELD_BY_OTHER: _("另一个账户正在使用这个域名：请删除它的所有权记录，只保留您的。"),
    Hint.SEVERAL: _("同类记录有不止一条，收件方会全部忽略：请合并成一条。"),
    Hint.INCLUDE_MISSING: _("已有 SPF 记录，但没有包含本平台：请把它改成下面的值，不要另加一条。"),
    Hint.INCLUDE_AFTER_ALL: _("include 写在 all 之后，不会生效：请把它改成下面的值。"),
    Hint.KEY_DIFFERS: _("公钥与上面的值不同，可能复制时被截断：请重新完整复制。"),
    Hint.KEY_REVOKED: _("公钥为空，表示已吊销：请发布上面的值。"),
    Hint.NOT_SHA256: _("h= 标签不包含 sha256：请发布上面的值。"),
    Hint.POLICY_MISSING: _("缺少 p= 标签，可选 none、quarantine、reject。"),
    Hint.OTHER_TARGET: _("指向了别处：请改成上面的值。"),
}


@router.get("")
async def domains(request: Request, caller: Signed, after: UUID | None = None) -> Response:
    """Newest first, with the form to add one."""
    return render(request, "portal/domains.html", **await _listed(request, caller, after))


@router.post("")
async def add(request: Request, caller: Signed) -> Response:
    """Add, then show what to publish."""
    name = str((await request.form()).get("name", ""))
    try:
        view = await served(request).domains.add(caller, name)
    except Refusal as refusal:
        return again(request, "portal/domains.html", refusal, {"name": name}, **await _listed(request, caller, None))
    text = translator(request)("域名已添加，请按下表发布解析记录。")
    return see(f"/portal/domains/{view.row.id}", request, text)


@router.get("/{domain_id}")
async def domain(request: Request, caller: Signed, domain_id: UUID) -> Response:
    """One domain, live."""
    view = await served(request).domains.get(caller, domain_id)
    return render(request, "portal/domains_one.html", **_shown(view))


@router.get("/{domain_id}/live")
async def live(request: Request, caller: Signed, domain_id: UUID) -> Response:
    """The part of the page that changes; the script asks for it every few seconds."""
    view = await served(request).domains.get(caller, domain_id)
    return render(request, "portal/domains_live.html", **_shown(view))


@router.post("/{domain_id}/check")
async def check(request: Request, caller: Signed, domain_id: UUID) -> Response:
    """Look now."""
    done = served(request).domains.check(caller, domain_id)
    return await _do(request, domain_id, done, _("正在检查解析，结果会自动显示。"))


@router.post("/{domain_id}/delete")
async def delete(request: Request, caller: Signed, domain_id: UUID) -> Response:
    """Give the domain up."""
    done = served(request).domains.delete(caller, domain_id)
    return await _do(request, domain_id, done, _("域名已删除。"), "/portal/domains")


async def _do(request: Request, domain_id: UUID, action: Any, said: str, then: str = "") -> Response:
    """Act, and say on the next page how it went."""
    here = f"/portal/domains/{domain_id}"
    try:
        await action
    except Refusal as refusal:
        if refusal.code == "domain_not_found":
            raise
        return see(here, request, refused(refusal, language_of(request))[refusal.field or ""], "danger")
    return see(then or here, request, translator(request)(said))


async def _listed(request: Request, caller: Caller, after: UUID | None) -> dict[str, Any]:
    rows = await served(request).domains.page(caller, after, PAGE + 1)
    following = rows[PAGE - 1].id if len(rows) > PAGE else None
    return {
        "rows": rows[:PAGE], "after": after, "next": following,
        "STATES": STATES, "PURPOSES": PURPOSES, "shown": shown,
    }  # fmt: skip


def _shown(view: DomainView) -> dict[str, Any]:
    cards = [_card(record, view.row.name) for record in view.records]
    outstanding = [one["record"].purpose for one in cards if one["needed"] and one["record"].state != RecordState.OK]
    return {
        "outstanding": outstanding,
        "view": view, "domain": view.row, "cards": cards, "title": shown(view.row.name),
        "STATES": STATES, "PURPOSES": PURPOSES, "RECORD_STATES": RECORD_STATES, "HINTS": HINTS,
    }  # fmt: skip


def _card(record: DomainRecord, name: str) -> dict[str, Any]:
    """What the page says about one record."""
    priority, _space, exchange = record.expected.partition(" ") if record.type == "MX" else ("", "", "")
    spf = record.hint in (Hint.INCLUDE_MISSING, Hint.INCLUDE_AFTER_ALL)
    return {
        "record": record,
        "needed": Purpose(record.purpose) in NEEDED,
        "host": host_label(record.name, name),
        "strings": txt_strings(record.expected) if record.type == "TXT" and len(record.expected) > LONG else "",
        "priority": priority,
        "exchange": exchange,
        "instead": merged_spf(record.found[0], record.expected) if spf and record.found else "",
    }
