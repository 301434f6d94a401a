"""Every mail that Songda itself sends: this file is the list. They go through Songda's own engine.

Texts are templates with `%name%` variables (values are escaped for HTML when filled). Each exists in both languages.
"""

from dataclasses import dataclass
from enum import StrEnum


class Notice(StrEnum):
    """The kinds of mail; the value is part of the template's invoke name."""

    CONFIRM_EMAIL = "confirm-email"
    ALREADY_REGISTERED = "already-registered"
    RESET_PASSWORD = "reset-password"
    PASSWORD_CHANGED = "password-changed"
    INVITATION = "invitation"
    CONTACT = "contact"
    WEBHOOK_DISABLED = "webhook-disabled"
    DOMAIN_USABLE = "domain-usable"
    DOMAIN_BROKEN = "domain-broken"
    DOMAIN_LOST = "domain-lost"
    ONBOARDING_REMINDER = "onboarding-reminder"
    TEMPLATE_APPROVED = "template-approved"
    TEMPLATE_REJECTED = "template-rejected"
    SMS_TEMPLATE_APPROVED = "sms-template-approved"
    SMS_TEMPLATE_REJECTED = "sms-template-rejected"
    SMS_SIGNATURE_APPROVED = "sms-signature-approved"
    SMS_SIGNATURE_REJECTED = "sms-signature-rejected"
    RECHARGE_CREDITED = "recharge-credited"
    PAYMENT_REFUNDED = "payment-refunded"
    CERTIFICATION_APPROVED = "certification-approved"
    CERTIFICATION_REJECTED = "certification-rejected"
    CERTIFICATION_REVOKED = "certification-revoked"
    REVIEW_WARNING = "review-warning"
    REVIEW_OVERDUE = "review-overdue"
    CALENDAR_MISSING = "calendar-missing"
    CAMPAIGN_REPORT = "campaign-report"
    SCHEDULED_RUN_LATE = "scheduled-run-late"
    SCHEDULED_RUN_BLOCKED = "scheduled-run-blocked"
    SMS_UNBLOCKED = "sms-unblocked"
    SMS_UNBLOCK_REFUSED = "sms-unblock-refused"


@dataclass(frozen=True)
class NoticeText:
    """`body` is HTML without a frame; `frame` puts it into the common page."""

    subject: str
    body: str


TEXTS: dict[tuple[Notice, str], NoticeText] = {
    (Notice.CAMPAIGN_REPORT, "zh"): NoticeText(
        "群发任务“%name%”已结束",
        "<p>您好：</p><p>您在 %platform% 的群发任务 <b>%name%</b> 已经结束。</p>"
        "<ul><li>收件人：%recipients%</li><li>送达：%delivered%</li><li>退信：%bounced%</li>"
        "<li>未发送：%dropped%</li><li>结果未知：%unknown%</li><li>复制列表时剔除：%left_out%</li>"
        '<li>费用：%cost%</li></ul><p><a href="%link%">查看任务</a></p>',
    ),
    (Notice.CAMPAIGN_REPORT, "en"): NoticeText(
        "Campaign “%name%” has ended",
        "<p>Hello,</p><p>your campaign <b>%name%</b> at %platform% has ended.</p>"
        "<ul><li>Recipients: %recipients%</li><li>Delivered: %delivered%</li><li>Bounced: %bounced%</li>"
        "<li>Not sent: %dropped%</li><li>Outcome unknown: %unknown%</li><li>Left out of the lists: %left_out%</li>"
        '<li>Cost: %cost%</li></ul><p><a href="%link%">See the campaign</a></p>',
    ),
    (Notice.SMS_UNBLOCKED, "zh"): NoticeText(
        "已解除对号码 %phone% 的拦截",
        "<p>您好，%name%：</p><p>您在 %platform% 申请解除对号码 <b>%phone%</b> 的全局拦截，现已解除，可以再次发送。</p>"
        '<p>客服说明：%reason%</p><p><a href="%link%">查看短信拦截列表</a></p>',
    ),
    (Notice.SMS_UNBLOCKED, "en"): NoticeText(
        "The number %phone% is not blocked any more",
        "<p>Hello %name%,</p><p>as you asked, %platform% lifted what blocked the number <b>%phone%</b> for everybody. "
        "You can write to it again.</p>"
        '<p>Support says: %reason%</p><p><a href="%link%">See the SMS interceptions</a></p>',
    ),
    (Notice.SMS_UNBLOCK_REFUSED, "zh"): NoticeText(
        "未解除对号码 %phone% 的拦截",
        "<p>您好，%name%：</p><p>您在 %platform% 申请解除对号码 <b>%phone%</b> 的全局拦截，客服没有同意。</p>"
        '<p>原因：%reason%</p><p><a href="%link%">查看短信拦截列表</a></p>',
    ),
    (Notice.SMS_UNBLOCK_REFUSED, "en"): NoticeText(
        "The number %phone% stays blocked",
        "<p>Hello %name%,</p><p>you asked %platform% to lift what blocks the number <b>%phone%</b> for everybody; "
        "support did not agree.</p>"
        '<p>Reason: %reason%</p><p><a href="%link%">See the SMS interceptions</a></p>',
    ),
    (Notice.SCHEDULED_RUN_LATE, "zh"): NoticeText(
        "定时任务“%name%”延误，请决定是否发送",
        "<p>您好：</p><p>您在 %platform% 的定时任务 <b>%name%</b> 原定于 %time% 执行，现在已经延误。</p>"
        '<p>请在 %until% 前决定照常发送还是跳过这一次；到期未决定则跳过。</p><p><a href="%link%">去决定</a></p>',
    ),
    (Notice.SCHEDULED_RUN_LATE, "en"): NoticeText(
        "Scheduled task “%name%” is late: send it?",
        "<p>Hello,</p><p>your scheduled task <b>%name%</b> at %platform% was planned for %time% and is late.</p>"
        "<p>Decide by %until% whether it is sent now or skipped this time; without an answer it is skipped.</p>"
        '<p><a href="%link%">Decide</a></p>',
    ),
    (Notice.SCHEDULED_RUN_BLOCKED, "zh"): NoticeText(
        "定时任务“%name%”需要处理",
        "<p>您好：</p><p>您在 %platform% 的定时任务 <b>%name%</b>（原定 %time%）不能继续：%why%</p>"
        '<p>请打开任务页面处理。已受理的不受影响。</p><p><a href="%link%">查看任务</a></p>',
    ),
    (Notice.SCHEDULED_RUN_BLOCKED, "en"): NoticeText(
        "Scheduled task “%name%” needs you",
        "<p>Hello,</p><p>your scheduled task <b>%name%</b> at %platform% (planned for %time%) cannot go on: %why%</p>"
        "<p>Its page says what can be done. What was accepted stays accepted.</p>"
        '<p><a href="%link%">See the task</a></p>',
    ),
    (Notice.RECHARGE_CREDITED, "zh"): NoticeText(
        "充值到账：%amount%",
        "<p>您好，%name%：</p><p>您在 %platform% 的充值 <b>%amount%</b> 已经到账，可以用于发送。</p>"
        '<p><a href="%link%">查看充值记录</a></p>',
    ),
    (Notice.RECHARGE_CREDITED, "en"): NoticeText(
        "Your recharge of %amount% has arrived",
        "<p>Hello %name%,</p><p>your recharge of <b>%amount%</b> at %platform% is on your balance and can be used for "
        'sending.</p><p><a href="%link%">See the recharge</a></p>',
    ),
    (Notice.PAYMENT_REFUNDED, "zh"): NoticeText(
        "已退款：%amount%",
        "<p>您好，%name%：</p><p>我们收到了一笔不能入账的付款 <b>%amount%</b>（同一订单重复支付，或账户已停用），"
        "已经退还，通常按原路退回您的付款账户，到账时间以支付机构为准。</p>"
        '<p><a href="%link%">查看充值记录</a></p>',
    ),
    (Notice.PAYMENT_REFUNDED, "en"): NoticeText(
        "A payment of %amount% was refunded",
        "<p>Hello %name%,</p><p>%platform% received a payment of <b>%amount%</b> that could not be credited: the order "
        "was paid twice, or the account is not active. It was given back, as a rule the way it came; when it arrives "
        'depends on the payment provider.</p><p><a href="%link%">See the recharge</a></p>',
    ),
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
    (Notice.ALREADY_REGISTERED, "zh"): NoticeText(
        "您已经有账户了",
        "<p>您好：</p><p>有人用这个邮箱地址在 %platform% 重新注册，而它已经属于一个账户。"
        "如果是您本人，请直接登录；忘记密码可以重置。如果不是，请忽略本邮件，您的账户没有任何变化。</p>"
        '<p><a href="%link%">登录</a>　<a href="%reset%">重置密码</a></p>',
    ),
    (Notice.ALREADY_REGISTERED, "en"): NoticeText(
        "You have an account already",
        "<p>Hello,</p><p>someone registered at %platform% with this e-mail address, which belongs to an account "
        "already. If it was you, just sign in, or reset the password. If not, ignore this mail: nothing changed.</p>"
        '<p><a href="%link%">Sign in</a> · <a href="%reset%">Reset the password</a></p>',
    ),
    (Notice.RESET_PASSWORD, "zh"): NoticeText(
        "重置密码",
        "<p>您好：</p><p>请点击下面的链接，为您在 %platform% 的账户设置新密码：</p>"
        '<p><a href="%link%">设置新密码</a></p>'
        "<p>链接在 %minutes% 分钟内有效，只能使用一次。如果不是您本人申请，请忽略本邮件，原密码仍然有效。</p>",
    ),
    (Notice.RESET_PASSWORD, "en"): NoticeText(
        "Reset your password",
        "<p>Hello,</p><p>follow this link to set a new password for your account at %platform%:</p>"
        '<p><a href="%link%">Set a new password</a></p>'
        "<p>It is valid for %minutes% minutes and works once. If you did not ask for it, ignore this mail: "
        "your password stays as it is.</p>",
    ),
    (Notice.PASSWORD_CHANGED, "zh"): NoticeText(
        "您的密码已修改",
        "<p>您好：</p><p>您在 %platform% 的账户密码刚刚被修改，其他设备上的登录已全部退出。</p>"
        '<p>如果不是您本人操作，请立即<a href="%reset%">重置密码</a>并联系客服：%support%</p>',
    ),
    (Notice.PASSWORD_CHANGED, "en"): NoticeText(
        "Your password was changed",
        "<p>Hello,</p><p>the password of your account at %platform% was changed just now, "
        "and all other devices were signed out.</p>"
        '<p>If this was not you, <a href="%reset%">reset the password</a> at once and write to %support%</p>',
    ),
    (Notice.INVITATION, "zh"): NoticeText(
        "邀请您加入 %account%",
        "<p>您好：</p><p>%inviter% 邀请您加入 %platform% 的账户 <b>%account%</b>。"
        "请点击下面的链接，设置密码后即可登录：</p>"
        '<p><a href="%link%">接受邀请</a></p>'
        "<p>链接在 %days% 天内有效，只能使用一次。如果您不认识对方，请忽略本邮件。</p>",
    ),
    (Notice.INVITATION, "en"): NoticeText(
        "You are invited to %account%",
        "<p>Hello,</p><p>%inviter% invites you to the account <b>%account%</b> at %platform%. "
        "Follow this link, choose a password, and you are in:</p>"
        '<p><a href="%link%">Accept the invitation</a></p>'
        "<p>It is valid for %days% days and works once. If you do not know the sender, ignore this mail.</p>",
    ),
    (Notice.CONTACT, "zh"): NoticeText(
        "客户留言：%subject%",
        '<p>来自：%email%</p><p>编号：%number%</p><p style="white-space:pre-wrap">%body%</p>',
    ),
    (Notice.CONTACT, "en"): NoticeText(
        "Contact form: %subject%",
        '<p>From: %email%</p><p>Number: %number%</p><p style="white-space:pre-wrap">%body%</p>',
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
        "<p>您好，%name%：</p><p>模板 <b>%template%</b> 的第 %version% 版已通过审核，现在可以用它发信。</p>"
        '<p>%reason%</p><p><a href="%link%">查看模板</a></p>',
    ),
    (Notice.TEMPLATE_APPROVED, "en"): NoticeText(
        "Your template “%template%” is approved",
        "<p>Hello %name%,</p>"
        "<p>version %version% of the template <b>%template%</b> is approved and can be sent now.</p>"
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
    (Notice.SMS_TEMPLATE_APPROVED, "zh"): NoticeText(
        "短信模板“%template%”已通过审核",
        "<p>您好，%name%：</p><p>短信模板 <b>%template%</b> 的第 %version% 版已通过审核，现在可以用它发送短信。</p>"
        '<p>%reason%</p><p><a href="%link%">查看模板</a></p>',
    ),
    (Notice.SMS_TEMPLATE_APPROVED, "en"): NoticeText(
        "Your SMS template “%template%” is approved",
        "<p>Hello %name%,</p>"
        "<p>version %version% of the SMS template <b>%template%</b> is approved and can be sent now.</p>"
        '<p>%reason%</p><p><a href="%link%">See the template</a></p>',
    ),
    (Notice.SMS_TEMPLATE_REJECTED, "zh"): NoticeText(
        "短信模板“%template%”未通过审核",
        "<p>您好，%name%：</p><p>短信模板 <b>%template%</b> 的第 %version% 版未通过审核。原因：</p>"
        "<blockquote>%reason%</blockquote><p>请按原因修改后重新提交，新版本会再次审核。</p>"
        '<p><a href="%link%">修改模板</a></p>',
    ),
    (Notice.SMS_TEMPLATE_REJECTED, "en"): NoticeText(
        "Your SMS template “%template%” was not approved",
        "<p>Hello %name%,</p>"
        "<p>version %version% of the SMS template <b>%template%</b> was not approved. The reason:</p>"
        "<blockquote>%reason%</blockquote><p>Please change it accordingly and submit it again; the new version will be "
        'reviewed anew.</p><p><a href="%link%">Edit the template</a></p>',
    ),
    (Notice.SMS_SIGNATURE_APPROVED, "zh"): NoticeText(
        "短信签名%signature%已通过审核",
        "<p>您好，%name%：</p><p>短信签名 <b>%signature%</b> 已通过审核，现在可以在短信模板中使用。</p>"
        '<p>%reason%</p><p><a href="%link%">查看签名</a></p>',
    ),
    (Notice.SMS_SIGNATURE_APPROVED, "en"): NoticeText(
        "Your SMS signature %signature% is approved",
        "<p>Hello %name%,</p><p>the SMS signature <b>%signature%</b> is approved: your templates can use it now.</p>"
        '<p>%reason%</p><p><a href="%link%">See the signature</a></p>',
    ),
    (Notice.SMS_SIGNATURE_REJECTED, "zh"): NoticeText(
        "短信签名%signature%未通过审核",
        "<p>您好，%name%：</p><p>短信签名 <b>%signature%</b> 未通过审核。原因：</p>"
        "<blockquote>%reason%</blockquote><p>请按原因修改或补充材料后重新提交。</p>"
        '<p><a href="%link%">修改签名</a></p>',
    ),
    (Notice.SMS_SIGNATURE_REJECTED, "en"): NoticeText(
        "Your SMS signature %signature% was not approved",
        "<p>Hello %name%,</p><p>the SMS signature <b>%signature%</b> was not approved. The reason:</p>"
        "<blockquote>%reason%</blockquote><p>Please change it, or add a proof, and submit it again.</p>"
        '<p><a href="%link%">Edit the signature</a></p>',
    ),
    (Notice.CERTIFICATION_APPROVED, "zh"): NoticeText(
        "您的%kind%已通过",
        "<p>您好，%name%：</p><p>您在 %platform% 提交的<b>%kind%</b>已通过审核，现在可以充值付费。</p>"
        '<p>%reason%</p><p><a href="%link%">查看认证</a></p>',
    ),
    (Notice.CERTIFICATION_APPROVED, "en"): NoticeText(
        "Your %kind% certification is approved",
        "<p>Hello %name%,</p><p>the <b>%kind% certification</b> that you handed in at %platform% is approved. "
        'You can recharge now.</p><p>%reason%</p><p><a href="%link%">See the certification</a></p>',
    ),
    (Notice.CERTIFICATION_REJECTED, "zh"): NoticeText(
        "您的%kind%未通过，请修改后重新提交",
        "<p>您好，%name%：</p><p>您在 %platform% 提交的<b>%kind%</b>未通过审核。原因：</p>"
        "<blockquote>%reason%</blockquote><p>没有被指出问题的内容会保留，只需修改指出的部分。</p>"
        '<p><a href="%link%">修改后重新提交</a></p>',
    ),
    (Notice.CERTIFICATION_REJECTED, "en"): NoticeText(
        "Your %kind% certification was not approved: please correct it",
        "<p>Hello %name%,</p><p>the <b>%kind% certification</b> that you handed in at %platform% was not approved. "
        "The reason:</p><blockquote>%reason%</blockquote><p>What was not objected to is kept: correct only the parts "
        'that are named.</p><p><a href="%link%">Correct and submit it again</a></p>',
    ),
    (Notice.CERTIFICATION_REVOKED, "zh"): NoticeText(
        "您的认证已被撤销",
        "<p>您好，%name%：</p><p>您在 %platform% 的认证已被撤销，在重新认证之前不能充值。原因：</p>"
        '<blockquote>%reason%</blockquote><p><a href="%link%">查看并重新提交</a></p>',
    ),
    (Notice.CERTIFICATION_REVOKED, "en"): NoticeText(
        "Your certification was revoked",
        "<p>Hello %name%,</p><p>your certification at %platform% was revoked; until you are certified again you cannot "
        "recharge. The reason:</p><blockquote>%reason%</blockquote>"
        '<p><a href="%link%">See it and hand it in again</a></p>',
    ),
    (Notice.REVIEW_WARNING, "zh"): NoticeText(
        "审核即将到期（%due%）",
        "<p>审核 <b>%case%</b> 承诺在 %due%（北京时间）前给出结果，承诺的工作时间已用去四分之三，目前还没有人处理。</p>"
        '<p><a href="%link%">打开审核</a></p>',
    ),
    (Notice.REVIEW_WARNING, "en"): NoticeText(
        "A review is due soon (%due%)",
        "<p>The review <b>%case%</b> was promised by %due% (UTC+08:00). Three quarters of the working time are used, "
        'and nobody has decided yet.</p><p><a href="%link%">Open the case</a></p>',
    ),
    (Notice.REVIEW_OVERDUE, "zh"): NoticeText(
        "审核已超时（%due%）",
        "<p>审核 <b>%case%</b> 应在 %due%（北京时间）前给出结果，现已超时，客户仍在等待。请立即安排人员处理。</p>"
        '<p><a href="%link%">打开审核</a></p>',
    ),
    (Notice.REVIEW_OVERDUE, "en"): NoticeText(
        "A review is overdue (%due%)",
        "<p>The review <b>%case%</b> was promised by %due% (UTC+08:00) and is overdue: the customer is waiting. Have "
        'somebody decide now.</p><p><a href="%link%">Open the case</a></p>',
    ),
    (Notice.CALENDAR_MISSING, "zh"): NoticeText(
        "请补充 %year% 年的工作日历",
        "<p>系统还不知道国务院公布的 %year% 年放假和调休安排，涉及该年日期的审核期限只能暂定。</p>"
        "<p>请升级依赖 chinesecalendar，或在控制台的工作日历中填写放假日和调休上班日，再确认该年已完整。"
        "已经承诺的期限不会改变。</p>"
        '<p><a href="%link%">打开控制台</a></p>',
    ),
    (Notice.CALENDAR_MISSING, "en"): NoticeText(
        "The working calendar of %year% is missing",
        "<p>Songda does not know the holidays and make-up days that the State Council published for %year%; due times "
        "that rest on days of that year are provisional.</p><p>Upgrade the dependency chinesecalendar, or enter the "
        "holidays and make-up days in the console's calendar and confirm the year there. Times already promised stay "
        "as they are.</p>"
        '<p><a href="%link%">Open the console</a></p>',
    ),
    (Notice.WEBHOOK_DISABLED, "zh"): NoticeText(
        "WebHook 已停用：%host%",
        "<p>您好：</p><p>我们已停止向 <b>%host%</b> 推送事件，因为它连续 72 小时没有确认任何请求，"
        "或回答不再需要（HTTP 410）。最后一次的结果：<b>%error%</b>。</p>"
        "<p>尚未送达的事件会保留。修复接收程序后，请在页面上重新启用，它们会随即送出。</p>"
        '<p><a href="%link%">查看推送记录并启用</a></p>',
    ),
    (Notice.WEBHOOK_DISABLED, "en"): NoticeText(
        "Webhook disabled: %host%",
        "<p>Hello,</p><p>we stopped sending events to <b>%host%</b>: it acknowledged nothing for 72 hours, or it "
        "answered that it wants no more (HTTP 410). What the last request came to: <b>%error%</b>.</p>"
        "<p>Events that were not delivered are kept. Repair the receiver, then enable it again on the page: they are "
        'sent at once.</p><p><a href="%link%">See the delivery log and enable it</a></p>',
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
