"""Carriers' gateways and routes."""

from domain.refusals.wording import register

register(
    "sms_gateway_text",
    422,
    ("此项为空、过长或含有不能使用的字符。", "请填写不超过 {most} 个字符，账号和密码只能使用英文字母、数字和符号。"),
    (
        "This is empty, too long, or has characters that cannot be used.",
        "Enter at most {most} characters; user and password have ASCII letters, digits and signs only.",
    ),
)
register(
    "sms_gateway_host",
    422,
    ("这不是主机名或 IP 地址。", "请填写运营商给出的网关地址，不带端口。"),
    ("This is neither a host name nor an IP address.", "Enter the gateway that the carrier named, without the port."),
)
register(
    "sms_gateway_number",
    422,
    ("请填写一个从 {least} 到 {most} 的整数。", "数值以运营商的接入说明为准。"),
    ("Enter a whole number from {least} to {most}.", "The carrier's connection sheet says which."),
)
register(
    "sms_gateway_choice",
    422,
    ("请选择列表中的一项。", "请重新选择后再保存。"),
    ("Choose one of the list.", "Choose again, then save."),
)
register(
    "sms_gateway_source",
    422,
    ("接入号格式不正确。", "请填写运营商分配的号码（最多 20 位数字），或最多 11 个英文字母和数字。"),
    (
        "This is no source address.",
        "Enter the number that the carrier gave (at most 20 digits), or at most 11 Latin letters and digits.",
    ),
)
register(
    "sms_gateway_password_missing",
    422,
    ("请填写密码。", "密码由运营商提供，保存后不再显示。"),
    ("The password is missing.", "The carrier gives it; once saved it is not shown again."),
)
register(
    "sms_gateway_exists",
    409,
    ("已有同名的网关（可能已移除）。", "请换一个名称：历史短信仍按名称显示网关。"),
    ("There is a gateway of this name, perhaps a removed one.", "Choose another: past messages still show the name."),
)
register(
    "sms_gateway_changed_meanwhile",
    409,
    ("该网关刚被他人修改。", "请刷新页面，核对新的设置后再改。"),
    ("Somebody else changed this gateway just now.", "Reload the page, and look at the new settings first."),
)
register(
    "sms_gateway_state",
    409,
    ("该网关已经是这个状态。", "请刷新页面查看当前状态。"),
    ("The gateway is in this state already.", "Reload the page to see how it stands."),
)
register(
    "sms_route_country",
    422,
    ("这不是国家或地区代码。", "请填写两位代码，如 CN、HK、GB；留空表示没有专门路由的所有国家和地区。"),
    (
        "This is no code of a country.",
        "Enter two letters like CN, HK or GB; blank means every country without a route of its own.",
    ),
)
register(
    "sms_route_cost",
    422,
    ("成本格式不正确。", "请填写每条的价格，单位为元，最多 6 位小数，不超过 {most}。"),
    ("This is no cost.", "Enter yuan for a segment, at most 6 decimal places and not above {most}."),
)
register(
    "sms_route_exists",
    409,
    ("该网关已有这个国家和类型的路由。", "请先删除旧路由，再添加新的。"),
    ("This gateway has a route for this country and kind already.", "Remove the old one before you add another."),
)
