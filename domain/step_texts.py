"""What customers read about each step of the path: names, hints, what is missing, and where to go.

Every text is a pair (Chinese, English). The hints are those of the user guide (seed 1, 2.1–2.5, 3.1–3.5); what the
guide describes and Songda does not offer yet is not promised here.
"""

from collections.abc import Mapping

from domain.certification import objections_in_words
from domain.domains import Purpose
from domain.errors import Refusal
from domain.onboarding import SmsStage, Stage, Step
from domain.onboarding_findings import Application, Lack, Missing
from domain.times import SHANGHAI

Text = tuple[str, str]

NAMES: Mapping[Step, Text] = {
    Stage.REGISTER: ("注册", "Register"),
    Stage.DOMAIN: ("配置发信域名", "Sender domain"),
    Stage.API_USER: ("创建 API_USER", "API user"),
    Stage.TEMPLATE: ("创建邮件模板", "E-mail template"),
    Stage.SEND: ("发送", "First send"),
    Stage.CERTIFY: ("个人认证、企业认证", "Certification"),
    Stage.PAY: ("充值付费", "Recharge"),
    Stage.DONE: ("已完成", "Done"),
    SmsStage.CERTIFY: ("企业认证", "Enterprise certification"),
    SmsStage.PAY: ("付费充值", "Recharge"),
    SmsStage.USER: ("创建 SMS_USER", "SMS user"),
    SmsStage.TEMPLATE: ("创建短信模板", "SMS template"),
    SmsStage.SEND: ("发送短信", "Send SMS"),
    SmsStage.DONE: ("已完成", "Done"),
}

PLACES: Mapping[Step, str] = {
    Stage.REGISTER: "/portal/account",
    Stage.DOMAIN: "/portal/domains",
    Stage.API_USER: "/portal/api-users",
    Stage.TEMPLATE: "/portal/templates",
    Stage.SEND: "/portal/sends",
    Stage.CERTIFY: "/portal/certification",
    Stage.PAY: "/portal/recharges",
    SmsStage.CERTIFY: "/portal/certification",
    SmsStage.PAY: "/portal/recharges",
    SmsStage.USER: "/portal/sms-users",
    SmsStage.TEMPLATE: "/portal/sms-templates",
    SmsStage.SEND: "/portal/sms-test",
}
"""Where each step is taken."""

HINTS: Mapping[Step, tuple[Text, ...]] = {
    Stage.REGISTER: (
        (
            "收不到注册邮件时，请核对邮箱地址，并查看垃圾箱：您的邮箱可能把陌生邮件放进了那里。",
            "No confirmation mail? Check the address and the spam folder: mail from strangers may end up there.",
        ),
        ("仍然收不到，请联系客服进行快捷注册。", "If it never arrives, ask support for the quick registration."),
    ),
    Stage.DOMAIN: (
        (
            "添加发信域名，并在您的 DNS 服务商处发布页面上列出的解析记录。",
            "Add the domain, then publish the records on its page at your DNS provider.",
        ),
    ),
    Stage.API_USER: (
        (
            "API_USER 的类型（触发或批量）要与邮件模板的类型对应。",
            "The kind of the API user (trigger or batch) must be the kind of your template.",
        ),
        ("API_USER 只能绑定可使用的域名。", "An API user can be bound to usable domains only."),
    ),
    Stage.TEMPLATE: (
        ("创建与 API_USER 类型相同的邮件模板并提交审核。", "Write a template of the API user's kind and submit it."),
        ("通过审核的版本才能发送。", "Only an approved version can be sent."),
    ),
    Stage.SEND: (
        ("WEB API：用代码发送，接口说明见 /docs。", "Web API: send from your code; /docs describes the calls."),
        (
            "测试发送：选择模板和 API_USER，先发给自己看看；使用测试 API_USER 的发送不计入本步骤。",
            "Test sends: pick a template and an API user and write to yourself. The test API user does not count here.",
        ),
        (
            "免费额度随资料完善而提高，最高 200 封/天，并与发信质量相关。",
            "The free quota grows with a complete profile, up to 200 mails a day, and with the quality of your mails.",
        ),
    ),
    Stage.CERTIFY: (
        (
            "付费的前提：个人认证或企业认证任选其一，在“账户设置-认证”中提交。",
            "Comes before payment. Certify as a person or as a company, under Account settings → Certification.",
        ),
        (
            "需要有自己的网站以及网站的 ICP 备案；没有网站时，请在认证页面说明原因，由客服处理。",
            "Needs your own website and its ICP filing. Without a website, say why on that page: support decides.",
        ),
        ("只有企业认证才能使用短信。", "Only the enterprise kind opens SMS."),
    ),
    Stage.PAY: (
        ("在线充值，到账后即成为付费用户。", "Recharge online; once the money is credited, you are a paying customer."),
        (
            "每天免费额度内的邮件仍不收费，超出部分从余额中扣除。",
            "Mails within each day's free quota still cost nothing; only what exceeds it is charged to the balance.",
        ),
        (
            "付费用户的每日额度更高，还可以联系客服按需调整。",
            "Paying customers have a larger daily quota, and support can adjust it to what you need.",
        ),
    ),
    SmsStage.CERTIFY: (
        (
            "短信只对企业认证开放：在“账户设置-认证”中提交，需要网站以及 ICP 备案。",
            "SMS needs the enterprise kind: see Account settings → Certification. It takes website and ICP filing.",
        ),
    ),
    SmsStage.PAY: (
        (
            "通过企业认证后在线充值；邮件与短信使用同一个余额。",
            "After the enterprise certification, recharge online: e-mail and SMS share one balance.",
        ),
    ),
    SmsStage.USER: (
        ("在“短信-SMS_USER”中创建；它的密钥只显示一次。", "Create it under SMS → SMS_USER; its key is shown once."),
    ),
    SmsStage.TEMPLATE: (
        (
            "先提交短信签名（如【公司名】），再创建使用该签名的模板。",
            "Hand in a signature first, the name in 【】, then write a template that uses it.",
        ),
        (
            "短信模板需要审核：工作日的工作时间内，一般一小时审核一次。",
            "SMS templates are reviewed about hourly, in working hours on working days.",
        ),
    ),
    SmsStage.SEND: (
        ("测试发送、代码发送或定时任务。", "By test send, from code, or by a scheduled task."),
        ("免费的测试短信不计入本步骤。", "Free test messages do not count here."),
    ),
}

MISSING: Mapping[Missing, Text] = {
    Missing.EMAIL_UNCONFIRMED: (
        "邮箱地址还没有确认：请点击注册邮件中的链接。",
        "Your address is not confirmed: follow the link in the mail we sent.",
    ),
    Missing.NO_DOMAIN: ("还没有发信域名。", "There is no sender domain yet."),
    Missing.DOMAIN_WAITS_FOR_DNS: (
        "域名已添加，必需的解析记录尚未全部生效。",
        "The domain is added; not all needed DNS records are visible yet.",
    ),
    Missing.DOMAIN_RECORD_BROKEN: (
        "域名的必需解析记录缺失或有误，域名暂不可用。",
        "A needed DNS record is gone or wrong, so the domain cannot be used.",
    ),
    Missing.NO_API_USER: (
        "还没有自己的 API_USER（测试 API_USER 不计）。",
        "There is no API user of your own yet (the test one does not count).",
    ),
    Missing.API_USER_WITHOUT_DOMAIN: (
        "API_USER 没有绑定可使用的域名。",
        "No API user is bound to a usable domain.",
    ),
    Missing.NO_TEMPLATE: (
        "还没有自己的邮件模板（示例模板不计）。",
        "There is no template of your own yet (samples do not count).",
    ),
    Missing.TEMPLATE_NOT_SUBMITTED: ("模板还没有提交审核。", "The template is not submitted for review."),
    Missing.TEMPLATE_IN_REVIEW: ("模板正在审核，结果会以邮件通知。", "The template is in review; you will be mailed."),
    Missing.TEMPLATE_REJECTED: (
        "模板未通过审核：请查看原因，修改后重新提交。",
        "The template was rejected: read the reason, change it and submit it again.",
    ),
    Missing.NOTHING_SENT: ("还没有用自己的 API_USER 发送过邮件。", "Nothing was sent by your own API user yet."),
    Missing.NOTHING_DELIVERED_YET: ("邮件已提交，正在投递。", "Your mails are accepted and being delivered."),
    Missing.SENDS_FAILED: (
        "已发送，但没有一封送达：请查看每个收件人的结果。",
        "Mails were sent and none was delivered: look at the result of each recipient.",
    ),
    Missing.CERTIFICATION_NOT_BEGUN: ("还没有提交认证。", "No certification was handed in yet."),
    Missing.CERTIFICATION_DRAFT: (
        "认证资料已保存，但还没有提交。",
        "The certification is saved, but not submitted.",
    ),
    Missing.CERTIFICATION_IN_REVIEW: (
        "认证正在审核，结果会以邮件通知。",
        "The certification is in review; you will be mailed.",
    ),
    Missing.CERTIFICATION_REJECTED: (
        "认证未通过：请查看原因，只需修改有问题的部分，再重新提交。",
        "The certification was rejected: read the reasons, correct only those parts and submit it again.",
    ),
    Missing.CERTIFICATION_EXPIRED: ("认证已到期，请重新认证。", "The certification has expired: please renew it."),
    Missing.CERTIFICATION_REVOKED: (
        "认证已被撤销，请重新认证，或联系客服。",
        "The certification was revoked: certify again, or write to support.",
    ),
    Missing.ENTERPRISE_NEEDED: (
        "现有的是个人认证；短信需要企业认证，请另外提交。",
        "What you handed in is of the individual kind; SMS needs the enterprise kind as well.",
    ),
    Missing.NO_SMS_USER: ("还没有 SMS_USER。", "There is no SMS user yet."),
    Missing.NO_SMS_TEMPLATE: ("还没有短信模板。", "There is no SMS template yet."),
    Missing.SMS_TEMPLATE_NOT_SUBMITTED: ("短信模板还没有提交审核。", "The SMS template is not submitted for review."),
    Missing.SMS_TEMPLATE_IN_REVIEW: (
        "短信模板正在审核，结果会以邮件通知。",
        "The SMS template is in review; you will be mailed.",
    ),
    Missing.SMS_TEMPLATE_REJECTED: (
        "短信模板未通过审核：请查看原因，修改后重新提交。",
        "The SMS template was rejected: read the reason, change it and submit it again.",
    ),
    Missing.NO_SMS_SENT: ("还没有发送过短信（测试不计）。", "No SMS was sent yet (tests do not count)."),
    Missing.SMS_NOT_RECEIVED_YET: (
        "短信已提交，正在等待运营商的回执。",
        "Your SMS are accepted; the carrier's receipt has not come yet.",
    ),
    Missing.SMS_FAILED: (
        "已发送，但没有一条送达：请查看每个号码的结果。",
        "SMS were sent and none was delivered: look at the result of each number.",
    ),
    Missing.NOT_RECHARGED: ("还没有充值。", "Nothing was recharged yet."),
    Missing.RECHARGE_WAITS: (
        "有一笔充值订单等待付款；付款后请稍候，到账会自动显示。",
        "A recharge waits to be paid; once it is, it shows here by itself.",
    ),
}
DETAILED: Mapping[Missing, Text] = {
    Missing.DOMAIN_WAITS_FOR_DNS: (
        "域名 {domain} 已添加，{record} 记录尚未生效。",
        "The domain {domain} is added; its {record} record is not visible yet.",
    ),
    Missing.DOMAIN_RECORD_BROKEN: (
        "域名 {domain} 的 {record} 记录缺失或有误，域名暂不可用。",
        "The {record} record of {domain} is gone or wrong, so the domain cannot be used.",
    ),
    Missing.CERTIFICATION_IN_REVIEW: (
        "认证正在审核，将在北京时间 {due} 前完成，结果会以邮件通知。",
        "The certification is in review, to be decided by {due} (Beijing time); you will be mailed.",
    ),
    Missing.CERTIFICATION_REJECTED: (
        "认证未通过：{reason} 请只修改有问题的部分，再重新提交。",
        "The certification was rejected: {reason} Correct only those parts and submit it again.",
    ),
    Missing.CERTIFICATION_EXPIRED: (
        "认证已于 {until} 到期，请重新认证。",
        "The certification expired after {until}: please renew it.",
    ),
    Missing.CERTIFICATION_REVOKED: (
        "认证已被撤销：{reason} 请重新认证，或联系客服。",
        "The certification was revoked: {reason} Certify again, or write to support.",
    ),
}
"""The same with particulars, for when they are known."""
PROVISIONAL: Text = ("（暂定：来年的放假安排尚未公布）", " (provisional: next year's holidays are not published)")
RECORDS: Mapping[Purpose, Text] = {
    Purpose.OWNERSHIP: ("所有权 TXT", "ownership TXT"),
    Purpose.SPF: ("SPF", "SPF"),
    Purpose.DKIM: ("DKIM", "DKIM"),
    Purpose.DMARC: ("DMARC", "DMARC"),
    Purpose.MX: ("MX", "MX"),
    Purpose.TRACKING: ("跟踪 CNAME", "tracking CNAME"),
}


def missing_text(lack: Lack, language: str) -> str:
    """What is missing, in `zh` or `en`, with its particulars as far as they are known."""
    particulars = _particulars(lack, language)
    if lack.code not in DETAILED or particulars is None:
        return in_language(MISSING[lack.code], language)
    return in_language(DETAILED[lack.code], language).format(**particulars)


def _particulars(lack: Lack, language: str) -> dict[str, str] | None:
    """Values for the detailed text; None when one is unknown."""
    if lack.fault is not None and lack.fault.record is not None:
        return {"domain": lack.fault.domain, "record": in_language(RECORDS[lack.fault.record], language)}
    if lack.application is None:
        return None
    values = {"due": _due(lack.application, language), "reason": _why(lack.application, language)}
    values["until"] = f"{lack.application.valid_until}" if lack.application.valid_until else ""
    wanted = {"certification_in_review": "due", "certification_expired": "until"}.get(lack.code.value, "reason")
    return values if values[wanted] else None


def _due(application: Application, language: str) -> str:
    if application.due_at is None:
        return ""
    note = in_language(PROVISIONAL, language) if application.due_provisional else ""
    return f"{application.due_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}{note}"


def _why(application: Application, language: str) -> str:
    """A reviewer's words, with an end: the reason, or else those given part by part."""
    parts = objections_in_words(application.kind, application.part_reasons, language)
    text = application.reason.strip() or parts
    return text if not text or text[-1] in "。！？.!?" else f"{text}{'。' if not text.isascii() else '.'}"


def place_of(step: Step, lack: Lack | None = None) -> str | None:
    """Where a step is taken; where its lack is mended, when that is a place of its own."""
    if lack is not None and lack.fault is not None:
        return f"/portal/domains/{lack.fault.domain_id}"
    if lack is not None and lack.order is not None:
        return f"/portal/recharges/{lack.order}"
    return PLACES.get(step)


def in_language(text: Text, language: str) -> str:
    """The half of a pair for `zh` or `en`."""
    return text[0] if language == "zh" else text[1]


def step_refusal(step: Step) -> Refusal:
    """The refusal of every door: `step` must be finished first; the texts name it and where to take it."""
    name_zh, name_en = NAMES[step]
    return Refusal(
        "step_missing", step=step.value, step_zh=name_zh, step_en=name_en, place=PLACES.get(step, "/portal/onboarding")
    )
