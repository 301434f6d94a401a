"""The words for codes in the records."""

from web import navigation
from web.i18n import mark as _
from web.portal import certification, domains, recharges, sends, statement, webhooks

OUTCOMES = {
    "delivered": _("已送达"),
    "sent": _("等待状态报告"),
    "deferred": _("延迟，将重试"),
    "queued": _("排队中"),
    "bounced": _("被退回"),
    "dropped": _("未发出"),
    "unknown": _("结果未知"),
}
OUTCOME_TONES = {
    "delivered": "success", "deferred": "warning", "queued": "secondary", "bounced": "danger", "dropped": "danger",
    "unknown": "secondary", "sent": "secondary",
}  # fmt: skip
KINDS = {"trigger": _("触发"), "batch": _("批量")}
REVIEWS = {
    "draft": _("草稿"),
    "submitted": _("审核中"),
    "approved": _("已通过"),
    "rejected": _("未通过"),
    "withdrawn": _("已撤回"),
}
REVIEW_TONES = {"submitted": "info", "approved": "success", "rejected": "danger"}
DOMAINS = {"pending": _("待验证"), "usable": _("可使用"), "broken": _("解析失效"), "lost": _("已归属其他账户")}
DOMAIN_TONES = {"usable": "success", "broken": "danger", "lost": "danger"}
ENDPOINTS = {"enabled": _("已启用"), "disabled": _("已停用")}
JOURNALS = {
    "recharge": _("充值"),
    "charge": _("扣费"),
    "adjustment": _("结果更正后扣费"),
    "refund_due": _("待退款"),
    "refund": _("已退款"),
}
CHANNELS = statement.CHANNELS
RECHARGES, RECHARGE_TONES = ({state.value: pair[place] for state, pair in recharges.STATES.items()} for place in (0, 1))
CERTIFICATIONS, CERTIFICATION_TONES = (
    {state.value: pair[place] for state, pair in certification.STATES.items()} for place in (0, 1)
)
CERTIFICATION_KINDS = {kind.value: label for kind, label in certification.KINDS.items()}
ROLES = {role.value: label for role, label in navigation.ROLES.items()}
REASONS = {reason.value: label for reason, label in sends.REASONS.items()}
PROBLEMS = {purpose.value: pair[0] for purpose, pair in domains.PURPOSES.items()}
ERRORS = {failure.value: label for failure, label in webhooks.ERRORS.items()}
PLATFORM = {"platform": _("平台"), "visitor": _("未登录的访客")}
ACTIONS = {
    "registration.confirmed": _("确认注册"),
    "registration.quick": _("客服代为确认注册"),
    "phone.confirmed": _("验证手机号码"),
    "phone.removed": _("移除手机号码"),
    "phone.vouched": _("客服代为确认手机号码"),
    "password.changed": _("修改密码"),
    "password.reset": _("重置密码"),
    "session.signed_out": _("退出登录"),
    "session.ended": _("结束一个登录"),
    "session.others_ended": _("结束其他登录"),
    "session.refused.too_many": _("尝试次数过多，登录被暂停"),
    "member.invited": _("邀请成员"),
    "member.invited_again": _("重新发送邀请"),
    "member.invitation_withdrawn": _("撤回邀请"),
    "member.joined": _("成员加入"),
    "member.removed": _("移除成员"),
    "member.role.admin": _("角色改为管理员"),
    "member.role.developer": _("角色改为开发者"),
    "member.role.finance": _("角色改为财务"),
    "member.role.viewer": _("角色改为查看者"),
    "member.ownership_received": _("转让所有权"),
    "dkim_key.created": _("添加域名并生成 DKIM 密钥"),
    "domain.deleted": _("删除域名"),
    "api_key.created": _("创建 API_USER 和 API_KEY"),
    "api_key.reset": _("重置 API_KEY"),
    "api_user.enabled": _("启用 API_USER"),
    "api_user.disabled": _("停用 API_USER"),
    "sms_key.created": _("创建 SMS_USER 和 SMS_KEY"),
    "sms_key.reset": _("更换 SMS_KEY"),
    "sms_user.enabled": _("启用 SMS_USER"),
    "sms_user.disabled": _("停用 SMS_USER"),
    "sms_signature.approve": _("短信签名通过审核"),
    "sms_signature.reject": _("短信签名未通过审核"),
    "sms_signature.deleted": _("删除短信签名"),
    "sms_signature.paper_viewed": _("查看短信签名的证明材料"),
    "sms_template.approve": _("短信模板通过审核"),
    "sms_template.reject": _("短信模板未通过审核"),
    "scheduled_task.create": _("创建定时任务"),
    "scheduled_task.edit": _("修改定时任务"),
    "scheduled_task.pause": _("暂停定时任务"),
    "scheduled_task.resume": _("继续定时任务"),
    "scheduled_task.cancel": _("取消定时任务"),
    "scheduled_task.run": _("立即执行定时任务"),
    "scheduled_run.send": _("决定发送一次定时任务"),
    "scheduled_run.skip": _("决定跳过一次定时任务"),
    "campaign.create": _("创建群发任务"),
    "campaign.pause": _("暂停群发任务"),
    "campaign.resume": _("继续群发任务"),
    "campaign.cancel": _("取消群发任务"),
    "campaign.revise": _("更换群发任务的内容"),
    "suppression.added": _("向拦截列表添加地址"),
    "suppression.imported": _("向拦截列表导入地址"),
    "suppression.removed": _("从拦截列表移除地址"),
    "sms_interception.removed": _("删除短信拦截记录"),
    "sms_unblock.asked": _("申请解除短信全局拦截"),
    "sms_unblock.lifted": _("客服解除短信全局拦截"),
    "sms_unblock.refused": _("客服未同意解除短信全局拦截"),
    "sms_opt_out.added": _("向短信退订列表添加号码"),
    "sms_opt_out.imported": _("向短信退订列表导入号码"),
    "sms_opt_out.removed": _("从短信退订列表移除号码"),
    "webhook.created": _("添加 WebHook"),
    "webhook.changed": _("修改 WebHook"),
    "webhook.secret_rotated": _("更换 WebHook 密钥"),
    "webhook.deleted": _("删除 WebHook"),
    "webhook.replayed": _("重放 WebHook 事件"),
    "template.approve": _("模板审核通过"),
    "template.reject": _("模板审核未通过"),
    "certification.approve": _("认证审核通过"),
    "certification.reject": _("认证审核未通过"),
    "certification.revoke": _("撤销认证"),
    "certification.details_viewed": _("查看认证资料"),
    "certification.paper_viewed": _("查看认证文件"),
    "account.quota_granted": _("调整额度"),
    "payment.credited": _("充值到账"),
    "payment.refund_wanted": _("登记退款"),
    "payment.refunded": _("完成退款"),
    "price.set": _("设置价格"),
}
"""What the audit log calls what was done to an account; `tests/web/test_words.py` knows when one is missing."""
