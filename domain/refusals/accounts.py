"""Accounts and sessions."""

from domain.refusals.wording import register

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
