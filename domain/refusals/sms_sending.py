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
