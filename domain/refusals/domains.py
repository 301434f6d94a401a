"""Sender domains, API users, and the order of the path."""

from domain.refusals.wording import register

register(
    "domain_not_found",
    404,
    ("您的账户中没有这个发信域名。", "请在“发信域名”列表中选择。"),
    ("Your account has no such sender domain.", "Pick one from the list of sender domains (GET /v1/domains)."),
)
register(
    "api_user_not_found",
    404,
    ("您的账户中没有这个 API_USER。", "请在 API_USER 列表中选择。"),
    ("Your account has no such API user.", "Pick one from the list of API users (GET /v1/api-users)."),
)
register(
    "domain_not_a_name",
    422,
    ("“{value}”不是域名。", "请只填写域名本身，例如 mail.example.com，不含 http:// 、邮箱前缀或 IP 地址。"),
    ("“{value}” is not a domain name.", "Enter the name alone, like mail.example.com: no http://, mailbox or address."),
)
register(
    "domain_is_public_suffix",
    422,
    ("{name} 是公共后缀，不属于任何一家公司。", "请填写您自己注册的域名，例如 example.{name}。"),
    ("{name} is a public suffix that nobody owns alone.", "Enter a name you registered, like example.{name}."),
)
register(
    "domain_of_platform",
    422,
    ("{name} 属于本平台。", "请填写您自己的域名；测试可使用账户自带的测试域名。"),
    ("{name} belongs to this platform.", "Enter your own domain; for tests use the account's test domain."),
)
register(
    "domain_exists",
    409,
    ("域名 {name} 已在您的账户中。", "请在域名列表中打开它。"),
    ("The domain {name} is in your account already.", "Open it in the list of domains."),
)
register(
    "too_many_domains",
    409,
    ("每个账户最多 {limit} 个发信域名。", "请先删除不用的域名，或联系客服。"),
    ("An account may have {limit} sender domains.", "Delete one you do not use, or contact support."),
)
register(
    "domain_is_test",
    409,
    ("{name} 是测试域名，由平台管理。", "请使用您自己的发信域名。"),
    ("{name} is the test domain, which the platform manages.", "Use a sender domain of your own."),
)
register(
    "domain_in_use",
    409,
    ("域名 {name} 仍绑定在 API_USER {users} 上。", "请先解除绑定，再删除域名。"),
    ("The domain {name} is still bound to the API users {users}.", "Unbind it first, then delete it."),
)
register(
    "api_user_bad_name",
    422,
    ("API_USER 名称“{name}”无效。", "请使用 3 至 32 个小写字母、数字或下划线。"),
    ("“{name}” cannot be the name of an API user.", "Use 3 to 32 lower-case letters, digits or underscores."),
)
register(
    "api_user_name_taken",
    409,
    ("API_USER 名称 {name} 已被使用。", "名称在全平台唯一，请换一个。"),
    ("The API user name {name} is taken.", "Names are unique on the whole platform: choose another."),
)
register(
    "too_many_api_users",
    409,
    ("每个账户最多 {limit} 个启用的 API_USER。", "请先停用不用的 API_USER，或联系客服。"),
    ("An account may have {limit} enabled API users.", "Disable one you do not use, or contact support."),
)
register(
    "api_user_is_test",
    409,
    ("{name} 是测试 API_USER，只能使用测试域名。", "请新建 API_USER 并绑定您自己的域名。"),
    ("{name} is the test API user, which keeps to the test domain.", "Create an API user and bind your own domain."),
)

# onboarding
register(
    "step_missing",
    409,
    ("请先完成步骤“{step_zh}”。", "请到 {place} 完成这一步，再回来继续。"),
    ("The step “{step_en}” must be finished first.", "Finish it at {place}, then come back."),
)
