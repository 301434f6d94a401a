"""The words of SMS signatures and templates on pages."""

from domain.reviews import ReviewState
from domain.sms import Market, SmsKind
from domain.sms_signatures import SignatureSource
from web.i18n import mark as _

KINDS = {SmsKind.CODE.value: _("验证码"), SmsKind.NOTICE.value: _("通知"), SmsKind.MARKETING.value: _("营销")}
MARKETS = {Market.DOMESTIC.value: _("国内"), Market.INTERNATIONAL.value: _("国际")}
SOURCES = {
    SignatureSource.COMPANY.value: _("企业名称"),
    SignatureSource.WEBSITE.value: _("已备案网站"),
    SignatureSource.APP.value: _("App 应用"),
    SignatureSource.MINI_PROGRAM.value: _("小程序或公众号"),
    SignatureSource.SHOP.value: _("电商店铺"),
    SignatureSource.TRADEMARK.value: _("商标"),
    SignatureSource.THIRD_PARTY.value: _("其他企业（须有授权书）"),
}
STATES = {
    ReviewState.DRAFT.value: (_("草稿"), "secondary"),
    ReviewState.SUBMITTED.value: (_("审核中"), "info"),
    ReviewState.APPROVED.value: (_("审核通过"), "success"),
    ReviewState.REJECTED.value: (_("未通过"), "danger"),
    ReviewState.WITHDRAWN.value: (_("已撤回"), "secondary"),
}
"""Word and Tabler colour of each state."""
