"""Every refusal Songda gives: stable code, HTTP status, and texts in both languages with the next step.

The texts are `str.format` patterns over the refusal's params.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import Refusal


@dataclass(frozen=True)
class Wording:
    """`detail` says what is wrong with the value; `next_step` what to do about it."""

    status: int
    detail_zh: str
    next_zh: str
    detail_en: str
    next_en: str


REFUSALS: dict[str, Wording] = {}
WORDS = {
    "ownership": ("所有权", "ownership"),
    "spf": ("SPF", "SPF"),
    "dkim": ("DKIM", "DKIM"),
    "template": ("模板", "template"),
    "send": ("发送", "send"),
    "message": ("邮件", "message"),
    "webhook": ("WebHook", "webhook"),
}
"""(Chinese, English) of the codes that params hold."""


def register(code: str, status: int, zh: tuple[str, str], en: tuple[str, str]) -> None:
    """Add one refusal to the table; a code is registered once."""
    if code in REFUSALS:
        raise ValueError(f"refusal {code} is registered twice")
    REFUSALS[code] = Wording(status, zh[0], zh[1], en[0], en[1])


def explain(refusal: Refusal, language: str) -> tuple[int, str, str]:
    """(HTTP status, detail, next step) of a refusal in `zh` or `en`."""
    wording = REFUSALS[refusal.code]
    if language == "zh":
        detail, step = wording.detail_zh, wording.next_zh
    else:
        detail, step = wording.detail_en, wording.next_en
    params = _spoken(refusal.params, language)
    return wording.status, detail.format(**params), step.format(**params)


def _spoken(params: Mapping[str, object], language: str) -> dict[str, object]:
    """Codes among the params (`record`, `what`) as a reader's words; what has no entry stays."""
    chosen = 0 if language == "zh" else 1
    known = {name: WORDS.get(str(params[name])) for name in ("record", "what") if name in params}
    return {**params, **{name: words[chosen] for name, words in known.items() if words}}


register("invalid", 422, ("{reason}", "请修改后重试。"), ("{reason}", "Correct the value and try again."))
register("required", 422, ("此项必填。", "请填写后重试。"), ("This value is required.", "Fill it in and try again."))
register(
    "not_found",
    404,
    ("没有这个{what}。", "请核对编号，或在列表中选择。"),
    ("There is no such {what}.", "Check the id, or pick one from the list."),
)
register(
    "unauthenticated",
    401,
    ("没有登录，或密钥无效。", "请登录，或在 Authorization: Bearer 中提供有效密钥。"),
    ("You are not signed in, or the key is not valid.", "Sign in, or send a valid key as Authorization: Bearer."),
)
register(
    "forbidden",
    403,
    ("没有权限执行此操作。", "请使用账户登录后操作。"),
    ("This key may not do that.", "Sign in as a member of the account."),
)
register(
    "too_many_requests",
    429,
    ("操作过于频繁。", "请在 {seconds} 秒后重试。"),
    ("Too many requests.", "Try again in {seconds} seconds."),
)
register(
    "conflict",
    409,
    ("{reason}", "请刷新后重试。"),
    ("{reason}", "Reload and try again."),
)

# Addresses and recipient lists (domain/addresses.py, domain/recipients.py)
_FIX_ADDRESS = ("请改成形如 name@example.com 的地址。", "Write it like name@example.com.")
for _code, _zh, _en in (
    ("address_empty", "没有填写邮箱地址。", "There is no address."),
    ("address_no_at", "邮箱地址里缺少 @。", "An address needs an @ between name and domain."),
    ("address_local_part", "@ 前面的部分不正确。", "The part before the @ is not valid."),
    ("address_domain", "@ 后面的部分不是有效的域名。", "The part after the @ is not a domain name."),
    ("address_too_long", "邮箱地址太长（@ 前最多 64 字节，总共最多 254 字节）。",
     "The address is too long: at most 64 octets before the @, 254 in all."),
    ("address_control", "邮箱地址里有控制字符。", "The address contains control characters."),
):  # fmt: skip
    register(_code, 422, (_zh, _FIX_ADDRESS[0]), (_en, _FIX_ADDRESS[1]))
register(
    "address_smtputf8", 422,
    ("@ 前面有非英文字符，只有支持 SMTPUTF8 的邮箱能收到。", "如有可能，请改用英文地址。"),
    ("The part before the @ is not ASCII: only servers with SMTPUTF8 can take it.",
     "Use an ASCII address if there is one."),
)  # fmt: skip
_SAVE_CSV = ("请另存为“CSV UTF-8（逗号分隔）”后重新上传。", "Save it as “CSV UTF-8 (comma delimited)” and upload that.")
_FIX_LINE = ("请修改这一行，或选择跳过有问题的行。", "Correct this line, or choose to skip bad lines.")
_ADD_HEADER = (
    "请在第一行写明列名，其中一列叫 email，例如：email,name,city。",
    "Write the column names on the first line, one of them email: email,name,city.",
)
for _code, _status, _zh_texts, _en_texts in (
    ("csv_too_large", 413, ("文件超过 {limit} MB。", "请拆分成较小的文件。"),
     ("The file is larger than {limit} MB.", "Split it into smaller files.")),
    ("csv_spreadsheet", 422, ("这是 Excel 工作簿，不是 CSV 文件。", _SAVE_CSV[0]),
     ("This is an Excel workbook, not a CSV file.", _SAVE_CSV[1])),
    ("csv_not_text", 422, ("这个文件不是文本，或编码无法识别（支持 UTF-8、GB18030、带 BOM 的 UTF-16）。", _SAVE_CSV[0]),
     ("This is not text in UTF-8, GB18030 or UTF-16 with BOM.", _SAVE_CSV[1])),
    ("csv_empty", 422, ("文件是空的。", _ADD_HEADER[0]), ("The file is empty.", _ADD_HEADER[1])),
    ("csv_no_lines", 422, ("列名下面没有任何收件人。", "请每行写一个收件人。"),
     ("There is no recipient below the header.", "Write one recipient per line.")),
    ("csv_header_broken", 422, ("列名这一行无法读取。", _ADD_HEADER[0]),
     ("The header line cannot be read.", _ADD_HEADER[1])),
    ("csv_header_missing", 422, ("第一行不是列名，而是收件人。", _ADD_HEADER[0]),
     ("The first line is a recipient, not column names.", _ADD_HEADER[1])),
    ("csv_too_many_columns", 422, ("共有 {found} 列，最多 {limit} 列。", "请只保留邮箱地址和模板变量所在的列。"),
     ("There are {found} columns; at most {limit} are possible.",
      "Keep the address and the columns that the template uses.")),
    ("csv_no_address_column", 422, ("找不到邮箱地址列（现有列：{columns}）。", "请把邮箱地址所在列的列名改为 email。"),
     ("No column holds e-mail addresses (columns: {columns}).", "Name the column of the addresses email.")),
    ("csv_address_ambiguous", 422, ("有几列都像邮箱地址：{columns}。", "请把要发送的那一列的列名改为 email。"),
     ("Several columns look like addresses: {columns}.", "Name the one to send to email.")),
    ("csv_too_many", 422, ("共有 {found} 个收件人，一次最多 {limit} 个。", "请拆分成几个文件，分几次发送。"),
     ("There are {found} recipients; one request takes at most {limit}.", "Split the file and send it in parts.")),
    ("csv_problems", 422,
     ("有 {count} 行无法使用，第一处在第 {line} 行。", "请修改这些行，或选择跳过有问题的行（skip_invalid）。"),
     ("{count} lines cannot be used; the first is line {line}.",
      "Correct these lines, or skip them (skip_invalid).")),
    ("csv_columns_missing", 422,
     ("模板需要变量 {names}，文件中没有对应的列（现有列：{columns}）。", "请添加同名的列，或换一个模板。"),
     ("The template needs {names}, but the file has no such column (columns: {columns}).",
      "Add columns of these names, or choose another template.")),
    ("test_needs_confirmed", 409,
     ("测试邮件只发往您已确认的邮箱，而您的邮箱尚未确认。", "请点击注册邮件中的确认链接，再回到本页。"),
     ("A test mail goes to your confirmed address, and yours is not confirmed yet.",
      "Follow the link in the registration mail, then come back.")),
    ("csv_undecodable", 422, ("这一行的编码无法识别。", _FIX_LINE[0]),
     ("The encoding of this line is unknown.", _FIX_LINE[1])),
    ("csv_line_too_long", 422, ("这一行太长。", _FIX_LINE[0]), ("This line is too long.", _FIX_LINE[1])),
    ("csv_quote", 422, ("引号没有正确结束。", "引号内的引号要写两次；" + _FIX_LINE[0]),
     ("A quoted value does not end properly.", "Write quotes inside a quoted value twice. " + _FIX_LINE[1])),
    ("csv_fields", 422, ("应有 {expected} 列，实际有 {found} 列。", _FIX_LINE[0]),
     ("There should be {expected} fields, but there are {found}.", _FIX_LINE[1])),
    ("csv_value_too_long", 422, ("某个值超过 {limit} 个字符。", _FIX_LINE[0]),
     ("A value has more than {limit} characters.", _FIX_LINE[1])),
    ("csv_control", 422, ("某个值里有控制字符。", _FIX_LINE[0]),
     ("A value contains control characters.", _FIX_LINE[1])),
    ("csv_column_name", 422,
     ("列名“{name}”不能用作模板变量，这一列将被忽略。",
      "变量名由文字、数字和下划线组成，不以数字开头，最多 32 个字符。"),
     ("The column “{name}” cannot be a template variable and is ignored.",
      "Variable names have letters, digits and underscores, no digit first, at most 32.")),
    ("csv_column_repeated", 422, ("列名“{name}”出现了不止一次，只使用第一列。", "请修改列名。"),
     ("The column “{name}” appears more than once; the first one counts.", "Rename the others.")),
):  # fmt: skip
    register(_code, _status, _zh_texts, _en_texts)


# Sender domains and API users
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

# Sending: what `domain.acceptance` and `store.accepting` refuse.
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
    ("There is no API user named “{name}”.", "Create or pick one under Settings → API users (POST /v1/api-users)."),
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
        "Add it under Settings → Sender domains and publish its records (POST /v1/domains).",
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
        "请减少收件人，或等到明天（北京时间 0 点）；完善资料或成为付费用户可提高额度。",
    ),
    (
        "Today's quota is {limit}, {used} are used, and this request needs {asked}.",
        "Send to fewer recipients, or after 00:00 Asia/Shanghai; paying accounts get a larger quota.",
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

# Webhooks
register(
    "webhook_url_scheme",
    422,
    ("网址必须以 https:// 或 http:// 开头。", "请填写完整的网址，例如 https://example.com/hooks。"),
    ("The URL must begin with https:// or http://.", "Write it in full, such as https://example.com/hooks."),
)
register(
    "webhook_url_host",
    422,
    ("网址中没有可用的主机名。", "请填写完整的网址，例如 https://example.com/hooks。"),
    ("The URL names no usable host.", "Write it in full, such as https://example.com/hooks."),
)
register(
    "webhook_url_long",
    422,
    ("网址超过 2000 个字符。", "请换一个较短的网址。"),
    ("The URL is longer than 2000 characters.", "Use a shorter one."),
)
register(
    "webhook_url_malformed",
    422,
    ("网址格式不正确。", "请去掉空格和控制字符，并检查端口。"),
    ("The URL is malformed.", "Remove spaces and control characters, and check the port."),
)
register(
    "webhook_url_parts",
    422,
    ("网址中不能有用户名、密码、# 片段或端口 0。", "请去掉这些部分；推送请求由签名验证身份。"),
    (
        "The URL may not hold a user name, a password, a # fragment or port 0.",
        "Remove it; requests prove themselves by their signature.",
    ),
)
register(
    "webhook_events_empty",
    422,
    ("没有选择事件。", "请至少选择一种事件。"),
    ("No event is chosen.", "Choose at least one."),
)
register(
    "webhook_event_unknown",
    422,
    ("没有名为“{name}”的事件。", "可选：{known}。"),
    ("There is no event “{name}”.", "Choose among: {known}."),
)
register(
    "too_many_webhooks",
    409,
    ("每个账户最多 {limit} 个 WebHook。", "请先删除不用的 WebHook。"),
    ("An account may have {limit} webhooks.", "Delete one you do not use."),
)
register(
    "webhook_url_taken",
    409,
    ("该 URL 已有一个 WebHook。", "请在列表中修改它；如遗失密钥，请轮换密钥。"),
    ("There is a webhook with this URL already.", "Change that one; if its secret was lost, rotate it."),
)
register(
    "webhook_disabled",
    409,
    ("该 WebHook 已停用，不会推送。", "请先启用，再发送测试事件或重试。"),
    ("This webhook is disabled and sends nothing.", "Enable it first, then test it or retry."),
)

# Accounts and sessions
for _code, _status, _zh_texts, _en_texts in (
    ("account_bad_name", 422, ("名称太长或含有控制字符。", "请填写不超过 {limit} 个字符的公司或团队名称。"),
     ("The name is too long or contains control characters.", "Use a name of at most {limit} characters.")),
    ("password_too_short", 422, ("密码太短。", "请至少使用 {shortest} 个字符，例如几个不相关的词。"),
     ("The password is too short.", "Use at least {shortest} characters, for example a few unrelated words.")),
    ("password_too_long", 422, ("密码太长。", "请最多使用 {longest} 个字符。"),
     ("The password is too long.", "Use at most {longest} characters.")),
    ("password_is_address", 422, ("密码不能与邮箱地址相同。", "请换一个密码。"),
     ("The password must not be the e-mail address.", "Choose another password.")),
    ("password_common", 422, ("这个密码太容易被猜到。", "请换一个密码，例如几个不相关的词。"),
     ("This password is among the first that are guessed.", "Choose another, for example a few unrelated words.")),
    ("password_wrong", 422, ("当前密码不正确。", "请重新输入；忘记密码可在登录页重置。"),
     ("The current password is not right.", "Type it again, or reset it on the sign-in page.")),
    ("passwords_differ", 422, ("两次输入的密码不一致。", "请重新输入。"),
     ("The two passwords differ.", "Type them again.")),
    ("sign_in_failed", 401, ("邮箱或密码不正确。", "请核对后重试；忘记密码可以重置。"),
     ("The e-mail address or the password is not right.", "Check both and try again, or reset the password.")),
    ("email_not_confirmed", 403, ("邮箱还没有确认。", "请点击确认邮件中的链接；没有收到可以重新发送。"),
     ("The e-mail address is not confirmed yet.", "Follow the link in the mail; if it did not arrive, send it again.")),
    ("link_invalid", 410, ("链接无效，或已经过期、用过。", "请使用最近一封邮件中的链接，或重新申请。"),
     ("The link is not valid, or it expired or was used.", "Use the link of the latest mail, or ask for a new one.")),
    ("registration_over", 409, ("这次注册已经完成或过期。", "如已确认请直接登录，否则请重新注册。"),
     ("This registration was completed or has expired.", "Sign in if you confirmed it, otherwise register again.")),
    ("address_in_use", 409, ("这个邮箱已属于一个已确认的账户。", "请直接登录，或重置密码。"),
     ("This address belongs to a confirmed account already.", "Sign in, or reset the password.")),
    ("foreign_form", 403, ("这个请求不是从本站页面发出的。", "请在本站页面上重新操作。"),
     ("This request did not come from a page of this site.", "Do it again from our own page.")),
    ("stale_form", 403, ("页面已过期，或浏览器没有保存 Cookie。", "请允许 Cookie，刷新页面后重试。"),
     ("The page has expired, or the browser keeps no cookies.", "Allow cookies, reload the page and try again.")),
    ("text_too_long", 422, ("内容太长。", "请缩短到 {limit} 个字符以内。"),
     ("The text is too long.", "Shorten it to at most {limit} characters.")),
):  # fmt: skip
    register(_code, _status, _zh_texts, _en_texts)

# E-mail templates
for _code, _status, _zh_texts, _en_texts in (
    ("template_bad_invoke_name", 422,
     ("调用名称“{name}”无效。", "请使用 1 至 64 个字母、数字、下划线或连字符，且不要写成编号（UUID）的样子。"),
     ("“{name}” cannot be an invoke name.", "Use 1 to 64 letters, digits, underscores or hyphens, "
      "not shaped as a UUID.")),
    ("template_bad_name", 422, ("模板名称无效。", "请最多使用 {limit} 个字符，不要换行。"),
     ("This cannot be the name of a template.", "Use at most {limit} characters in one line.")),
    ("template_exists", 409, ("调用名称 {name} 已被另一个模板使用。", "请换一个名称，或修改那个模板。"),
     ("Another template has the invoke name {name}.", "Choose another name, or edit that template.")),
    ("template_content", 422, ("{zh}", "修改后请重试。"), ("{en}", "Correct it and try again.")),
    ("template_kind_fixed", 409,
     ("模板已经提交过审核，类型（{kind}）不能再改。", "请新建一个所需类型的模板。"),
     ("The template was submitted as {kind}, and its kind cannot change any more.",
      "Create a template of the kind you need.")),
    ("template_is_sample", 409, ("{name} 是平台提供的示例模板，不能修改。", "请新建模板，可从示例复制内容。"),
     ("{name} is a sample of the platform and cannot be changed.", "Create a template; you may copy the sample.")),
    ("too_many_templates", 409, ("每个账户最多 {limit} 个模板。", "请先删除不用的模板。"),
     ("An account may have {limit} templates.", "Delete one you do not use.")),
    ("template_under_review", 409, ("第 {number} 版正在审核中。",
      "请等待审核结果，或先撤回第 {number} 版，再提交新版。"),
     ("Version {number} is under review.", "Wait for its decision, or withdraw it before you submit another.")),
    ("template_nothing_to_submit", 409,
     ("没有待提交的草稿（最新一版的状态是 {state}）。", "请先修改模板，保存后会产生新的草稿。"),
     ("There is no draft to submit; the latest version is {state}.", "Edit the template: saving makes a new draft.")),
    ("review_link_invalid", 404, ("审核链接无效或已过期。", "请在 Temporal UI 中打开该审核流程，使用其中最新的链接。"),
     ("This review link is not valid or has expired.", "Open the review in the Temporal UI and use its current link.")),
    ("template_nothing_to_withdraw", 409, ("没有正在审核的版本。", "审核可能已有结果，请刷新页面查看。"),
     ("No version is under review.", "It may have been decided: read the template again.")),
):  # fmt: skip
    register(_code, _status, _zh_texts, _en_texts)
register(
    "api_user_disabled",
    409,
    ("API_USER“{name}”已停用。", "请启用它，或选择另一个。"),
    ("API user “{name}” is disabled.", "Enable it, or pick another one."),
)
