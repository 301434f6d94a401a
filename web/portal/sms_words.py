"""The words for codes of SMS, wherever a page shows them."""

from domain.sms_opt_out import OptOutSource
from domain.sms_results import ResultCode, SmsReason, SmsScope
from web.i18n import mark as _

REASONS = {
    SmsReason.BLOCKED_GLOBAL: _("号码在全局拦截列表中"),
    SmsReason.BLOCKED_LOCAL: _("号码在本账户的拦截列表中"),
    SmsReason.OPTED_OUT: _("用户已退订营销短信"),
    SmsReason.KEYWORD: _("内容含有禁止发送的词语"),
    SmsReason.VARIABLES: _("无法用模板和变量生成内容"),
    SmsReason.TOO_LONG: _("替换变量后超过 500 字"),
    SmsReason.EMPTY_NUMBER: _("空号"),
    SmsReason.SUSPENDED: _("停机"),
    SmsReason.BLACKLISTED: _("在运营商的黑名单中"),
    SmsReason.BUSY: _("用户忙"),
    SmsReason.NO_ANSWER: _("无应答"),
    SmsReason.INTERCEPTED: _("内容被投诉或被运营商拦截"),
    SmsReason.HANDSET: _("手机终端问题"),
    SmsReason.OUT_OF_AREA: _("不在服务区"),
    SmsReason.SWITCHED_OFF: _("关机"),
    SmsReason.OTHER: _("运营商未说明的其他原因"),
    SmsReason.NO_ROUTE: _("没有运营商可以发送"),
    SmsReason.CONN: _("运营商的网关暂时连不上"),
    SmsReason.RATE_LIMITED: _("运营商限制了提交速度"),
    SmsReason.EXPIRED: _("有效期内没有送达，或没有回报"),
    SmsReason.UNCERTAIN: _("提交时连接中断，等待运营商的回报"),
}
"""Why an SMS was not delivered; the codes are also those of `/v1`, webhooks and files."""
SCOPES = {SmsScope.GLOBAL: _("全局拦截"), SmsScope.LOCAL: _("局部拦截")}
CODES = {code: REASONS[SmsReason[code.name]] for code in ResultCode if code.is_delivery}
"""Of a record of the interception list."""
SOURCES = {OptOutSource.REPLY: _("用户回复"), OptOutSource.MEMBER: _("手工添加")}
