"""Every mail that Songda itself sends: this file is the list. They go through Songda's own engine.

Texts are templates with `%name%` variables (values are escaped for HTML when filled). Each exists in both languages.
"""

from dataclasses import dataclass
from enum import StrEnum


class Notice(StrEnum):
    """The kinds of mail; the value is part of the template's invoke name."""

    CONFIRM_EMAIL = "confirm-email"
    DOMAIN_USABLE = "domain-usable"
    DOMAIN_BROKEN = "domain-broken"
    DOMAIN_LOST = "domain-lost"
    ONBOARDING_REMINDER = "onboarding-reminder"
    TEMPLATE_APPROVED = "template-approved"
    TEMPLATE_REJECTED = "template-rejected"


@dataclass(frozen=True)
class NoticeText:
    """`body` is HTML without a frame; `frame` puts it into the common page."""

    subject: str
    body: str


TEXTS: dict[tuple[Notice, str], NoticeText] = {
    (Notice.CONFIRM_EMAIL, "zh"): NoticeText(
        "请确认您的邮箱地址",
        "<p>您好，%name%：</p><p>请点击下面的链接，完成在 %platform% 的注册：</p>"
        '<p><a href="%link%">确认邮箱地址</a></p><p>链接在 %hours% 小时内有效。如果不是您本人注册，请忽略本邮件。</p>',
    ),
    (Notice.CONFIRM_EMAIL, "en"): NoticeText(
        "Please confirm your e-mail address",
        "<p>Hello %name%,</p><p>please follow this link to complete your registration at %platform%:</p>"
        '<p><a href="%link%">Confirm the address</a></p>'
        "<p>The link is valid for %hours% hours. If you did not register, ignore this mail.</p>",
    ),
    (Notice.ONBOARDING_REMINDER, "zh"): NoticeText(
        "接入还差一步：%step%",
        "<p>您好，%name%：</p><p>您在 %platform% 的接入流程停在步骤“%step%”已经 %days% 天。</p><p>%missing%</p>"
        '<p><a href="%link%">去完成这一步</a></p><p>如需帮助，请联系客服：%support%</p>',
    ),
    (Notice.ONBOARDING_REMINDER, "en"): NoticeText(
        "One step is waiting for you: %step%",
        "<p>Hello %name%,</p><p>your onboarding at %platform% has been at the step “%step%” for %days% days.</p>"
        '<p>%missing%</p><p><a href="%link%">Take this step now</a></p>'
        "<p>Need a hand? Write to %support%</p>",
    ),
    (Notice.DOMAIN_USABLE, "zh"): NoticeText(
        "发信域名 %domain% 已可使用",
        "<p>您好：</p><p>发信域名 <b>%domain%</b> 所需的解析记录均已生效，现在可以绑定到 API_USER 并用它发信。</p>"
        '<p><a href="%link%">查看域名</a></p><p>我们会每天复查解析，请保留这些记录。</p>',
    ),
    (Notice.DOMAIN_USABLE, "en"): NoticeText(
        "Your sender domain %domain% can be used",
        "<p>Hello,</p><p>all needed records of the sender domain <b>%domain%</b> are in place. You can bind it to an "
        'API user and send from it.</p><p><a href="%link%">See the domain</a></p>'
        "<p>We look again every day, so please keep the records.</p>",
    ),
    (Notice.DOMAIN_BROKEN, "zh"): NoticeText(
        "发信域名 %domain% 的解析失效，已暂停发信",
        "<p>您好：</p><p>两次检查发现 <b>%domain%</b> 的解析记录 <b>%record%</b> 缺失或不正确，"
        "使用该域名的发送请求会被拒绝。</p><p>请按页面所示恢复该记录，恢复后会自动重新启用。</p>"
        '<p><a href="%link%">查看应发布的记录</a></p>',
    ),
    (Notice.DOMAIN_BROKEN, "en"): NoticeText(
        "Records of %domain% are gone: sending from it is paused",
        "<p>Hello,</p><p>two looks found the record <b>%record%</b> of <b>%domain%</b> missing or wrong. "
        "Requests to send from this domain are refused.</p><p>Publish the record again as the page shows it; "
        'the domain then works again by itself.</p><p><a href="%link%">See the record to publish</a></p>',
    ),
    (Notice.DOMAIN_LOST, "zh"): NoticeText(
        "发信域名 %domain% 已归属其他账户",
        "<p>您好：</p><p>域名 <b>%domain%</b> 的所有权记录 <b>%record%</b> 现在指向另一个账户，"
        "因此您的账户不能再用它发信。</p><p>如果这不是您的安排，请检查域名解析的管理权限，"
        '恢复页面所示的所有权记录并删除他人的记录。</p><p><a href="%link%">查看域名</a></p>',
    ),
    (Notice.DOMAIN_LOST, "en"): NoticeText(
        "The sender domain %domain% belongs to another account now",
        "<p>Hello,</p><p>the ownership record <b>%record%</b> of <b>%domain%</b> names another account now, "
        "so yours can no longer send from it.</p><p>If you did not arrange this, check who may edit the DNS of the "
        "domain, publish the ownership record of the page again and remove the other one.</p>"
        '<p><a href="%link%">See the domain</a></p>',
    ),
    (Notice.TEMPLATE_APPROVED, "zh"): NoticeText(
        "模板“%template%”已通过审核",
        "<p>您好，%name%：</p><p>模板 <b>%template%</b> 的第 %version% 版已通过审核，现在可以用它发信。</p><p>%reason%</p>"
        '<p><a href="%link%">查看模板</a></p>',
    ),
    (Notice.TEMPLATE_APPROVED, "en"): NoticeText(
        "Your template “%template%” is approved",
        "<p>Hello %name%,</p><p>version %version% of the template <b>%template%</b> is approved and can be sent now.</p>"
        '<p>%reason%</p><p><a href="%link%">See the template</a></p>',
    ),
    (Notice.TEMPLATE_REJECTED, "zh"): NoticeText(
        "模板“%template%”未通过审核",
        "<p>您好，%name%：</p><p>模板 <b>%template%</b> 的第 %version% 版未通过审核。原因：</p>"
        "<blockquote>%reason%</blockquote><p>请按原因修改后重新提交，新版本会再次审核。</p>"
        '<p><a href="%link%">修改模板</a></p>',
    ),
    (Notice.TEMPLATE_REJECTED, "en"): NoticeText(
        "Your template “%template%” was not approved",
        "<p>Hello %name%,</p><p>version %version% of the template <b>%template%</b> was not approved. The reason:</p>"
        "<blockquote>%reason%</blockquote><p>Please change it accordingly and submit it again; the new version will be "
        'reviewed anew.</p><p><a href="%link%">Edit the template</a></p>',
    ),
}


def frame(text: NoticeText, language: str) -> str:
    """The whole HTML page of a notice."""
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{text.subject}</title></head>'
        '<body style="font-family:sans-serif;color:#1f2937;line-height:1.6;max-width:36em;margin:2em auto;'
        f'padding:0 1em">{text.body}<hr style="border:0;border-top:1px solid #e5e7eb">'
        '<p style="color:#6b7280;font-size:12px">%platform%</p></body></html>'
    )


def invoke_name(notice: Notice, language: str) -> str:
    """The template's name in the system account."""
    return f"notice-{notice.value}-{language}"
