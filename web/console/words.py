"""The words for codes in the console."""

from domain.billing import CloseReason, NoticeFault
from domain.ids import Kind
from domain.onboarding import Stage
from web.i18n import mark as _
from web.portal.recharges import WHY_BACK
from web.portal.records import words as portal

STAGES = {
    Stage.REGISTER.value: _("等待确认邮箱"),
    Stage.DOMAIN.value: _("配置发信域名"),
    Stage.API_USER.value: _("创建 API_USER"),
    Stage.TEMPLATE.value: _("创建邮件模板"),
    Stage.SEND.value: _("第一次发送"),
    Stage.CERTIFY.value: _("认证"),
    Stage.PAY.value: _("充值"),
    Stage.DONE.value: _("已完成"),
}
PROCESSES = {
    Kind.REGISTRATION.value: _("注册流程"),
    Kind.ONBOARDING.value: _("接入流程"),
    Kind.DOMAIN.value: _("域名验证"),
    Kind.TEMPLATE_REVIEW.value: _("模板审核"),
    Kind.CERTIFICATION_REVIEW.value: _("认证审核"),
    Kind.SMS_TEMPLATE_REVIEW.value: _("短信模板审核"),
    Kind.SMS_SIGNATURE_REVIEW.value: _("短信签名审核"),
    Kind.RECHARGE.value: _("充值"),
    Kind.REFUND.value: _("退款"),
    Kind.DELIVERY.value: _("邮件投递"),
    Kind.WEBHOOK.value: _("WebHook 推送"),
    Kind.LIST_IMPORT.value: _("地址列表导入"),
    Kind.CAMPAIGN.value: _("群发任务"),
    Kind.SCHEDULED_TASK.value: _("定时任务"),
}
ATTENTION = {
    "provider_silent": _("支付渠道没有可信的回答，流程会继续询问"),
    "provider_refused": _("支付渠道拒绝请求，或回答与订单不符，流程会继续询问"),
}
STOPPED = {
    "workflow is FAILED": _("流程失败"),
    "workflow is TERMINATED": _("流程被终止"),
    "workflow is CANCELED": _("流程被取消"),
    "workflow is TIMED_OUT": _("流程超时"),
}
"""How Temporal ended a process; see `services.clockwork`."""
CHANNELS = portal.CHANNELS
ITEMS = {"email": _("每封邮件"), "sms": _("每条短信（中国大陆）")}
CLOSED = {CloseReason.TIMEOUT.value: _("超过支付时间"), CloseReason.MEMBER.value: _("客户关闭")}
BACK = {why.value: text for why, text in WHY_BACK.items()}
NOTICES = {
    NoticeFault.NOT_OFFERED.value: _("这里没有开通在线充值"),
    NoticeFault.SIGNATURE.value: _("签名不正确"),
    NoticeFault.APP.value: _("不是发给我们的应用"),
    NoticeFault.SELLER.value: _("收款方不是我们"),
    NoticeFault.ORDER.value: _("没有这个订单"),
    NoticeFault.CURRENCY.value: _("币种不是人民币"),
    NoticeFault.AMOUNT.value: _("金额与订单不符"),
    NoticeFault.TRANSACTION.value: _("没有流水号，或流水号属于其他订单"),
}
ACTIONS = portal.ACTIONS | {
    "operator.added.": _("新增操作员"),
    "operator.roles.": _("修改操作员的角色"),
    "operator.disabled": _("停用操作员"),
    "operator.reset": _("重置操作员的密码和验证器"),
    "operator.enrolled": _("操作员启用验证器"),
    "operator.sign_in.totp": _("操作员用验证码登录"),
    "operator.sign_in.recovery": _("操作员用恢复码登录"),
    "operator.sign_out": _("操作员退出登录"),
    "operator.session.revoked": _("结束操作员的一个登录"),
    "operator.refused.unknown_name": _("登录被拒：没有这个操作员"),
    "operator.refused.wrong_password": _("登录被拒：密码错误"),
    "operator.refused.wrong_code": _("登录被拒：验证码错误"),
    "operator.refused.too_many": _("登录被拒：尝试次数过多"),
    "operator.own_access.wrong_password": _("更换登录方式被拒：密码错误"),
    "operator.own_access.wrong_code": _("更换登录方式被拒：验证码错误"),
    "operator.password_changed": _("操作员修改密码"),
    "operator.recovery_codes_renewed": _("操作员更换恢复码"),
    "operator.authenticator_renewed": _("操作员更换验证器"),
    "list.exported": _("导出列表"),
    "contact.handled": _("处理客户来信"),
    "calendar.works": _("设为工作日"),
    "calendar.rests": _("设为休息日"),
    "calendar.unset": _("恢复为公布的日历"),
    "calendar.confirm": _("确认一年的日历"),
    "calendar.doubt": _("撤销对一年的确认"),
    "lane.paused": _("暂停发送通道"),
    "lane.resumed": _("恢复发送通道"),
    "lane.limits_set": _("修改发送通道的限制"),
    "lane.full_speed": _("发送通道恢复全速"),
    "egress.added": _("添加出口地址"),
    "egress.changed": _("修改出口地址"),
    "egress.paused": _("暂停出口地址"),
    "egress.removed": _("移除出口地址"),
    "egress.resumed": _("恢复出口地址"),
    "sms_gateway.added": _("添加短信网关"),
    "sms_gateway.changed": _("修改短信网关"),
    "sms_gateway.paused": _("暂停短信网关"),
    "sms_gateway.resumed": _("恢复短信网关"),
    "sms_gateway.removed": _("移除短信网关"),
    "sms_route.added": _("添加短信路由"),
    "sms_route.removed": _("删除短信路由"),
    "destination.added": _("添加投递规则"),
    "destination.changed": _("修改投递规则"),
    "destination.removed": _("删除投递规则"),
    "reply_rule.added": _("添加回复规则"),
    "reply_rule.edited": _("修改回复规则"),
    "reply_rule.moved": _("移动回复规则"),
    "reply_rule.enabled": _("启用回复规则"),
    "reply_rule.disabled": _("停用回复规则"),
    "reply_rule.deleted": _("删除回复规则"),
    "reply_rule.restored": _("恢复自带的回复规则"),
    "reply_rule.all_restored": _("恢复全部自带的回复规则"),
    "retry_curve.set": _("修改重试间隔"),
    "retry_curve.restored": _("恢复自带的重试间隔"),
    "dead_address.freed": _("移出无效地址库"),
    "sms_interception.blocked": _("全局拦截一个手机号码"),
    "sms_interception.lifted": _("解除一个手机号码的全局拦截"),
}
"""A code that ends in a dot stands for all that begin with it."""


def action(code: str) -> str:
    """The message id for what was done; the code itself when there is none."""
    beginning = next((each for each in ACTIONS if each.endswith(".") and code.startswith(each)), "")
    return ACTIONS.get(code) or ACTIONS.get(beginning, code)
