"""Sends: what domain/acceptance.py and store/accepting.py refuse."""

from domain.refusals.wording import register

register(
    "account_not_active",
    403,
    ("账户尚未激活。", "请点击注册邮件中的链接，或联系客服。"),
    ("The account is not active.", "Follow the link in the registration mail, or write to support."),
)
register(
    "api_user_unknown",
    422,
    ("没有名为“{name}”的 API_USER。", "请在“发送设置-API_USER”中创建或选择一个。"),
    ("There is no API user named “{name}”.", "Create or pick one under Send settings → API_USER (POST /v1/api-users)."),
)
register(
    "api_user_not_yours",
    403,
    ("此密钥不属于 API_USER“{name}”。", "请使用该 API_USER 自己的密钥，或去掉 api_user。"),
    ("This key does not belong to API user “{name}”.", "Use that API user's own key, or leave api_user out."),
)
register(
    "domain_unknown",
    422,
    ("“{domain}”不是本账户的发信域名。", "请在“发送设置-发信域名”中添加并完成解析。"),
    (
        "“{domain}” is not a sender domain of this account.",
        "Add it under Send settings → Sender domains and publish its records (POST /v1/domains).",
    ),
)
register(
    "domain_not_usable",
    422,
    ("发信域名“{domain}”暂不可用：{record} 记录未通过验证。", "请在域名页面按提示修正解析。"),
    (
        "Sender domain “{domain}” is not usable: its {record} record is not verified.",
        "Publish or mend the record shown on the domain's page (GET /v1/domains/{{id}}).",
    ),
)
register(
    "domain_not_bound",
    422,
    ("此 API_USER 未绑定发信域名“{domain}”。", "请在 API_USER 页面绑定该域名。"),
    ("This API user is not bound to sender domain “{domain}”.", "Bind it on the API user's page."),
)
register(
    "template_unknown",
    422,
    ("没有名为“{name}”的模板。", "请在“发送相关-模板管理”中创建或选择一个。"),
    ("There is no template named “{name}”.", "Create or pick one under Templates (POST /v1/templates)."),
)
register(
    "template_not_approved",
    422,
    ("模板“{name}”还没有审核通过的版本。", "请提交审核并等待结果。"),
    ("Template “{name}” has no approved version.", "Submit it for review and wait for the decision."),
)
register(
    "kind_mismatch",
    422,
    ("模板类型（{template}）与 API_USER 类型（{api_user}）不一致。", "请选择类型相同的模板和 API_USER。"),
    ("The template is of kind {template}, the API user of kind {api_user}.", "Pick two of the same kind."),
)
register(
    "no_recipients", 422, ("没有收件人。", "请至少提供一个收件人。"), ("There is no recipient.", "Give at least one.")
)
register(
    "too_many_recipients",
    422,
    ("收件人 {asked} 个，超过单次上限 {limit} 个。", "请分批提交。"),
    ("{asked} recipients are more than one request takes ({limit}).", "Split the list into several requests."),
)
register(
    "recipients_all_invalid",
    422,
    ("{count} 个收件人全部无效。", "请修改收件人后重试。"),
    ("None of the {count} recipients is valid.", "Correct them and send the request again."),
)
register(
    "variables_missing",
    422,
    ("缺少模板变量：{names}。", "请为每个收件人提供这些变量。"),
    ("Values for these template variables are missing: {names}.", "Give each recipient a value for them."),
)
register(
    "variables_too_long",
    422,
    ("变量总长超过 {limit} 字节。", "请缩短变量内容。"),
    ("The variables of one recipient are longer than {limit} bytes.", "Shorten the values."),
)
register(
    "test_only_members",
    422,
    ("测试 API_USER 只能发给本账户已确认的成员邮箱。", "请发给自己，或使用正式 API_USER。"),
    (
        "A test API user writes to confirmed members of the account only.",
        "Send to yourself, or use an API user of your own.",
    ),
)
register(
    "quota_exceeded",
    429,
    (
        "今日额度 {limit}，已用 {used}，本次需要 {asked}。",
        "请减少收件人，或等到明天（北京时间 0 点）。提高额度：免费用户请完成接入流程、认证并充值"
        "（/portal/onboarding）；付费用户请联系客服。",
    ),
    (
        "Today's quota is {limit}, {used} are used, and this request needs {asked}.",
        "Send to fewer recipients, or after 00:00 Asia/Shanghai. For more a day: free accounts finish the onboarding, "
        "certify and recharge (/portal/onboarding); paying accounts ask support.",
    ),
)
register(
    "test_quota_exceeded",
    429,
    ("测试发送每日 {limit} 封，今日已用 {used}。", "请明天（北京时间 0 点后）再试，或使用正式 API_USER。"),
    (
        "Test sends are limited to {limit} a day, and {used} are used.",
        "Try again after 00:00 Asia/Shanghai, or use an API user of your own.",
    ),
)
register(
    "idempotency_reused",
    409,
    ("此 Idempotency-Key 已用于内容不同的请求。", "请为新请求使用新的值。"),
    ("This Idempotency-Key was used for a different request.", "Use a new value for a new request."),
)
register(
    "content_not_approved",
    422,
    (
        "邮件内容与本账户审核通过的模板不一致。",
        "请使用已审核通过的模板内容，只改变其中的变量；或在“发送相关-模板管理”中提交新的模板。",
    ),
    (
        "The content matches no approved template of the account.",
        "Write what a template says, with values for its variables; or submit a new template (POST /v1/templates).",
    ),
)
register(
    "suppressed",
    422,
    ("收件人已取消订阅，或在本账户的拦截列表中。", "请在“发送相关-拦截列表”中查看原因。"),
    ("The recipient has unsubscribed or is suppressed.", "GET /v1/suppressions/lookup says why."),
)
register(
    "recipient_complained",
    422,
    (
        "收件人曾将本账户的邮件举报为垃圾邮件，{until} 前不再向其发信。",
        "请在“发送相关-拦截列表”中查看；不要再向其发送推广邮件。",
    ),
    (
        "The recipient reported a mail of this account as spam: nothing is sent to it before {until}.",
        "See GET /v1/suppressions/lookup; take the address off your lists.",
    ),
)
register(
    "recipient_dead",
    422,
    ("对方服务器答复该邮箱不存在，{until} 前不再向其发信。", "请核对地址；届时会再次尝试。"),
    ("Its server says that this mailbox does not exist: nothing is sent to it before {until}.",
     "Check the address; after that time the next mail is tried again."),
)  # fmt: skip
register(
    "recipients_all_suppressed",
    422,
    ("{count} 个收件人均不能投递：已退订、曾举报、被拦截或邮箱不存在。",
     "请更换收件人；在“发送相关-拦截列表”中可查询各地址的原因。"),
    ("None of the {count} recipients can be written to: unsubscribed, complained, suppressed or without a mailbox.",
     "Send to others; GET /v1/suppressions/lookup says why for each address."),
)  # fmt: skip
