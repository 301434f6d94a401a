"""Webhook endpoints."""

from domain.refusals.wording import register

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
register(
    "webhook_replay_span",
    422,
    ("没有说明要重放的时间段，或时间段为空。", "请填写开始时间，并让结束时间晚于开始时间；或填写邮件编号。"),
    ("No span of time to replay is given, or it is empty.", "Give a start that is before the end, or name a message."),
)
register(
    "webhook_replay_reach",
    422,
    ("只能重放最近 {days} 天的事件。", "请选择较晚的开始时间；更早的结果可从发送记录导出。"),
    ("Only the last {days} days can be replayed.", "Start later; older outcomes can be exported from the records."),
)
register(
    "webhook_replay_running",
    409,
    ("该 WebHook 的上一次重放尚未结束。", "请等它结束，或先停止它。"),
    ("An earlier replay of this webhook is not over.", "Wait for its end, or stop it first."),
)
register(
    "webhook_test_failed",
    422,
    (
        "网址没有通过测试（{method} 请求）：{result}。",
        "接收程序须在 3 秒内以 HTTP 200 回答 GET 和 POST，修复后请重试。",
    ),
    (
        "The URL did not pass the test ({method} request): {result}.",
        "It has to answer GET and POST with HTTP 200 within 3 seconds; repair it and try again.",
    ),
)
