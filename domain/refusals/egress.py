"""Addresses that we send from, rules of destinations, smart hosts."""

from domain.refusals.wording import register

register(
    "egress_address_malformed",
    422,
    ("这不是一个可以使用的 IP 地址。", "请填写一个 IPv4 或 IPv6 地址，不带端口和掩码。"),
    ("This is no IP address that can be sent from.", "Enter one IPv4 or IPv6 address, without port or mask."),
)
register(
    "egress_name_malformed",
    422,
    ("EHLO 名称必须是完整的主机名。", "请填写这个地址反向解析（PTR）得到的主机名，如 out1.example.com。"),
    ("The EHLO name has to be a full host name.", "Enter what the address's PTR record says, like out1.example.com."),
)
register(
    "egress_host_malformed",
    422,
    (
        "机器名只能包含字母、数字、点、下划线和连字符。",
        "请填写该机器的 SONGDA_EGRESS_HOST；留空表示任何拥有此地址的机器。",
    ),
    (
        "A machine's name has letters, digits, dots, underscores and hyphens only.",
        "Enter that machine's SONGDA_EGRESS_HOST; blank means every machine that has the address.",
    ),
)
register(
    "egress_address_taken",
    409,
    ("这台机器的这个地址已经在列表中。", "请修改已有的那一行，不要重复添加。"),
    ("This address of this machine is in the list already.", "Change its line instead of adding another."),
)
register(
    "egress_numbers_used_up",
    409,
    ("出口地址的编号已经用完。", "请修改一个不再使用的地址。"),
    ("There are no numbers left for more addresses.", "Change an address that is no longer used."),
)
register(
    "egress_changed_meanwhile",
    409,
    ("该设置刚被他人修改。", "请刷新页面，核对新的设置后再改。"),
    ("Somebody else changed this just now.", "Reload the page, and look at the new settings first."),
)
register(
    "policy_match_unknown",
    422,
    ("请选择规则针对什么。", "可以针对收件域名、收信服务器（MX）或通道。"),
    ("Choose what the rule is about.", "It can be the recipient's domain, the receiving server (MX) or a lane."),
)
register(
    "policy_tls_unknown",
    422,
    ("请选择加密方式。", "可选：不加密、尽量加密、必须加密、必须验证证书。"),
    ("Choose how it is encrypted.", "Not at all, where offered, always, or always with a verified certificate."),
)
register(
    "policy_pattern_malformed",
    422,
    ("规则的对象不正确。", "请填写域名（也适用于其下级域名），或通道的代码，如 qq。"),
    ("This is nothing that a rule can be about.", "Enter a domain (its subdomains are meant, too) or a lane, like qq."),
)
register(
    "policy_exists",
    409,
    ("已经有一条针对它的规则。", "请修改已有的规则。"),
    ("There is a rule about this already.", "Change that one."),
)
register(
    "smart_host_malformed",
    422,
    ("中继服务器不正确，或超过 {most} 台。", "每行一台：主机名或 IP 地址，需要时加端口，如 relay.example.com:587。"),
    (
        "This is no smart host, or there are more than {most}.",
        "One a line: a host name or an IP address, with a port if need be, like relay.example.com:587.",
    ),
)
register(
    "smart_host_login_alone",
    422,
    ("只有中继服务器才需要用户名。", "请填写中继服务器，或清空用户名。"),
    ("Only a smart host asks for a user.", "Enter a smart host, or leave the user blank."),
)
register(
    "smart_host_login_in_clear",
    422,
    ("密码不会在未加密的连接上发送。", "请选择“必须加密”或“必须验证证书”。"),
    ("A password is never sent over a connection that may be in the clear.", "Choose that it has to be encrypted."),
)
register(
    "mail_address_malformed",
    422,
    ("这不是一个邮箱地址或域名。", "请填写收件人的地址，如 someone@example.com。"),
    ("This is neither a mail address nor a domain.", "Enter a recipient, like someone@example.com."),
)
