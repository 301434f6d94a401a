"""A mobile number and its code: registration and account page."""

from domain.refusals.wording import register

for _code, _status, _zh_texts, _en_texts in (
    ("phone_code_malformed", 422, ("验证码应为 {digits} 位数字。", "请输入短信中的 {digits} 位数字。"),
     ("The code has {digits} digits.", "Type the {digits} digits of the SMS.")),
    ("phone_code_wrong", 422, ("验证码不正确。", "请核对后重新输入，还可以尝试 {left} 次。"),
     ("This is not the code.", "Check the SMS and type it again; {left} tries are left.")),
    ("phone_code_over", 410, ("没有可用的验证码：未发送、已过期，或输错次数过多。", "请重新获取验证码。"),
     ("There is no code to be typed: none was sent, or it expired or was tried too often.", "Ask for a new code.")),
    ("phone_taken", 409,
     ("这个号码已被 {limit} 个账户验证，不能再用于新的账户。", "请换一个号码，或联系客服。"),
     ("This number was confirmed for {limit} accounts and can be used for no other.",
      "Use another number, or write to support.")),
    ("phone_country", 422, ("暂不支持向这个国家或地区（{country}）发送验证码。", "请换一个号码，或联系客服。"),
     ("Codes are not sent to this country ({country}).", "Use another number, or write to support.")),
    ("phone_first", 409,
     ("还需要先验证手机号码。", "请打开注册页面（或登录后自动进入）完成手机验证，再点击邮件中的链接。"),
     ("Your mobile number must be confirmed first.",
      "Do that on the registration page (signing in leads there), then follow the link of the mail again.")),
    ("phone_not_asked", 409, ("本平台目前不使用手机验证。", "请通过邮件中的链接完成注册。"),
     ("This platform does not confirm mobile numbers at present.", "Follow the link of the mail instead.")),
    ("phone_unavailable", 503, ("短信暂时发不出去。", "请稍后重试，或联系客服进行快捷注册。"),
     ("The SMS cannot be sent at present.", "Try again later, or ask support for the quick registration.")),
    ("phone_missing", 422, ("还没有填写手机号码。", "请先填写手机号码并获取验证码。"),
     ("No mobile number was given.", "Give a mobile number and ask for a code first.")),
    ("phone_changed", 409,
     ("页面打开之后，客户换了手机号码。", "请与客户重新核对页面上的号码，再确认。"),
     ("The customer gave another number since the page was opened.",
      "Compare the number that the page shows now with the customer once more, then confirm it.")),
    ("proof_needed", 422,
     ("浏览器没有完成防刷计算。", "请启用 JavaScript 并刷新页面后重试；如无法启用，请联系客服进行快捷注册。"),
     ("The browser did not do the computation that keeps robots off.",
      "Switch JavaScript on and reload the page; if that is not possible, ask support for the quick registration.")),
    ("proof_over", 409, ("防刷计算的结果已过期或已用过。", "请刷新页面后重试。"),
     ("The result of the computation expired or was used before.", "Reload the page and try again.")),
):  # fmt: skip
    register(_code, _status, _zh_texts, _en_texts)
