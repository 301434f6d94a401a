"""What every feature may refuse."""

from domain.refusals.wording import register

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
register(
    "unavailable",
    503,
    (
        "系统暂时不可用，请求未被接受，或未能确认。",
        "请在 {seconds} 秒后用同一个 Idempotency-Key 重试，这样不会重复执行。",
    ),
    (
        "The system cannot take requests just now; this one was not accepted, or not confirmed.",
        "Try again in {seconds} seconds with the same Idempotency-Key, so that nothing is done twice.",
    ),
)
