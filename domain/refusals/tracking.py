"""Links in mails and who must not be written to (services/tracking.py, services/unsubscribes.py, suppressions.py)."""

from domain.refusals.wording import register

register(
    "link_unknown",
    404,
    ("这个链接不完整，或已失效。", "请从邮件中重新打开完整的链接。"),
    ("This link is incomplete or no longer valid.", "Open the whole link again from the mail."),
)
register(
    "suppression_unknown",
    404,
    ("拦截列表中没有这一条。", "请刷新列表；它可能已被移除。"),
    ("There is no such entry among the suppressions.", "Reload the list; it may have been removed already."),
)
register(
    "suppressions_too_many",
    422,
    ("一次最多处理 {limit} 个地址。", "请分几次进行；更多地址可以用文件导入。"),
    ("At most {limit} addresses can be dealt with at once.", "Do it in several steps, or import a file."),
)
register(
    "suppression_until",
    422,
    ("截止时间应晚于现在，且不超过十年。", "请填写将来的时间；永久拦截请留空。"),
    ("The end must be later than now and within ten years.", "Give a later time, or none to hold for ever."),
)
register(
    "suppression_cell",
    422,
    (
        "“{column}”一列的值“{value}”无法识别。",
        "reason 为 unsubscribe、complaint 或 manual，scope 为 batch 或 all，"
        "until 形如 2026-12-31 18:00（十年以内），note 不超过 200 字。",
    ),
    (
        "The value “{value}” of the column {column} cannot be read.",
        "reason: unsubscribe, complaint or manual; scope: batch or all; until like 2026-12-31 18:00, within ten years;"
        " note: at most 200 characters.",
    ),
)
register(
    "suppression_complained",
    409,
    (
        "其中 {count} 个收件人曾将本账户的邮件举报为垃圾邮件，继续发信会损害信誉。",
        "确有对方同意时，请确认后再移除（despite_complaint=true）。",
    ),
    (
        "{count} of these recipients reported a mail of this account as spam; writing to them costs reputation.",
        "If you have their consent, say despite_complaint=true.",
    ),
)
register(
    "dead_address_unknown",
    404,
    ("无效地址库中没有这个地址。", "请核对地址；它可能已被移出。"),
    ("This address is not among the dead ones.", "Check the address; it may have been freed already."),
)  # fmt: skip
