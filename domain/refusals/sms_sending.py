"""SMS that are not accepted: what domain/sms_*.py and store/sms_accepting.py refuse."""

from domain.refusals.wording import register

register(
    "phone_empty",
    422,
    ("没有手机号码。", "请填写手机号码。"),
    ("There is no phone number.", "Give one, like 13800138000 or +447400123456."),
)
register(
    "phone_invalid",
    422,
    (
        "手机号码格式不正确，或该号段不存在。",
        "国内号码请填写 11 位手机号；国际号码请以 + 和国家代码开头，如 +447400123456。",
    ),
    (
        "This is not a phone number, or no operator has such numbers.",
        "Give 11 digits for mainland China; begin others with + and the country code, like +447400123456.",
    ),
)  # fmt: skip
register(
    "phone_landline",
    422,
    ("这是固定电话或服务号码，不能接收短信。", "请填写手机号码。"),
    ("This is a landline or service number, which gets no SMS.", "Give a mobile number."),
)
register(
    "phone_not_mobile",
    422,
    ("该国际号码不是手机号码，不能接收短信。", "请填写手机号码，以 + 和国家代码开头。"),
    ("This foreign number is not a mobile number.", "Give a mobile number that begins with + and its country code."),
)
register(
    "sms_value_too_long",
    422,
    ("变量“{name}”的值有 {length} 个字符，上限为 {limit} 个。", "请缩短变量内容。"),
    ("The value of variable “{name}” has {length} characters; at most {limit} are allowed.", "Shorten the value."),
)
register(
    "sms_value_link",
    422,
    ("变量“{name}”的值中含有网址。", "变量中不能带网址；请把网址写进模板内容并提交审核。"),
    (
        "The value of variable “{name}” holds a link.",
        "Links belong into the template's text, where they are reviewed.",
    ),
)
register(
    "sms_value_control",
    422,
    ("变量“{name}”的值中含有换行或控制字符。", "请去掉这些字符。"),
    ("The value of variable “{name}” holds line breaks or control characters.", "Take them out."),
)
register(
    "sms_too_long",
    422,
    ("替换变量后短信共 {length} 个字符，上限为 {limit} 个（含签名和退订提示）。", "请缩短变量内容，或改用更短的模板。"),
    (
        "With its values the text has {length} characters; at most {limit} are allowed, signature included.",
        "Shorten the values, or use a shorter template.",
    ),
)  # fmt: skip
register(
    "phone_not_domestic",
    422,
    ("该模板只能发送中国大陆号码。", "请使用国际短信模板，或填写国内手机号码。"),
    ("The template is for numbers of mainland China.", "Use an international template for this number."),
)
register(
    "phone_not_international",
    422,
    ("该模板只能发送国际号码。", "请使用国内短信模板，或填写以 + 和国家代码开头的国际号码。"),
    ("The template is for numbers of other countries.", "Use a domestic template for this number."),
)
register(
    "phone_duplicate",
    422,
    ("手机号码重复。", "每个号码在一次请求中只发送一次。"),
    ("The number is in the request already.", "Each number gets one message of a request."),
)
register(
    "too_many_numbers",
    422,
    ("号码 {asked} 个，超过单次上限 {limit} 个。", "请分批提交，或使用联系人列表和定时任务。"),
    ("{asked} numbers are more than one request takes ({limit}).", "Split them, or send to a contact list by a task."),
)
register(
    "sms_user_unknown",
    422,
    ("没有名为“{name}”的 SMS_USER。", "请在“短信-SMS_USER”中创建或选择一个。"),
    ("There is no SMS user named “{name}”.", "Create or pick one under SMS → SMS_USER (POST /v1/sms-users)."),
)
register(
    "sms_user_not_yours",
    403,
    ("此密钥不属于 SMS_USER“{name}”。", "请使用该 SMS_USER 自己的密钥，或去掉 sms_user。"),
    ("This key does not belong to SMS user “{name}”.", "Use that SMS user's own key, or leave sms_user out."),
)
register(
    "sms_template_unknown",
    422,
    ("没有短信模板“{name}”。", "请在“短信-短信模板”中创建或选择一个。"),
    ("There is no SMS template “{name}”.", "Create or pick one under SMS → Templates (POST /v1/sms-templates)."),
)
register(
    "sms_template_not_approved",
    422,
    ("短信模板“{name}”还没有审核通过的版本，或其签名未通过审核。", "请提交审核并等待结果。"),
    (
        "SMS template “{name}” has no approved version, or its signature is not approved.",
        "Submit it for review and wait for the decision.",
    ),
)
register(
    "sms_template_market",
    422,
    ("短信模板“{name}”不适用于所要求的范围（国内/国际）。", "请选择适用于该范围的模板。"),
    ("SMS template “{name}” is for the other market (domestic, international).", "Pick one that is for this market."),
)
register(
    "sms_none_left",
    422,
    ("{count} 个号码均未被接受。", "请查看每个号码的原因，修改后重试。"),
    ("None of the {count} numbers was accepted.", "See the reason of each, correct them and send again."),
)
register(
    "sms_opted_out",
    422,
    ("该号码已退订营销短信。", "不要再向其发送营销短信；可在“短信-退订列表”中查看。"),
    ("The number has opted out of marketing.", "Do not write to it; see SMS → Opt-outs."),
)
register(
    "sms_blocked_global",
    422,
    ("该号码在全局拦截列表中，{until} 前不能发送。", "请核对号码；如有误，可在“短信-拦截列表”中申请解除。"),
    (
        "The number is on the global interception list until {until}.",
        "Check it; ask support to lift it under SMS → Interceptions if it is there by mistake.",
    ),
)
register(
    "sms_blocked_local",
    422,
    ("该号码在本账户的拦截列表中，{until} 前不能发送。", "可在“短信-拦截列表”中查看原因或移除。"),
    (
        "The number is on this account's interception list until {until}.",
        "See why, or remove it, under SMS → Interceptions.",
    ),
)
register(
    "sms_too_often_minute",
    429,
    ("一分钟内给该号码发送的验证码太多（上限 {limit} 条）。", "请一分钟后再试。"),
    ("At most {limit} code a minute is sent to one number.", "Try again in a minute."),
)
register(
    "sms_too_often_hour",
    429,
    ("一小时内给该号码发送的验证码太多（上限 {limit} 条）。", "请一小时后再试。"),
    ("At most {limit} codes an hour are sent to one number.", "Try again in an hour."),
)
register(
    "sms_too_often_day",
    429,
    ("24 小时内给该号码发送的短信太多（上限 {limit} 条）。", "请明天再试。"),
    ("At most {limit} such SMS in 24 hours are sent to one number.", "Try again tomorrow."),
)
register(
    "sms_same_text",
    429,
    ("{minutes} 分钟内已向该号码发送过相同内容。", "请勿重复发送；如确有需要，请稍后再试。"),
    ("The same text was sent to this number within {minutes} minutes.", "Do not repeat it, or try again later."),
)
register(
    "sms_country_unpriced",
    422,
    ("暂不支持向该国家或地区（{country}）发送短信。", "请联系客服开通。"),
    ("SMS to this country ({country}) have no price and are not sent.", "Ask support to open it."),
)
register(
    "sms_tests_used_up",
    429,
    (
        "测试短信每日 {limit} 条，今日已用 {used} 条，本次需要 {asked} 条。",
        "请明天（北京时间 0 点后）再试，或正式发送。",
    ),
    (
        "Test messages are limited to {limit} a day, {used} are used, and this request needs {asked}.",
        "Try again after 00:00 Asia/Shanghai, or send for real.",
    ),
)
