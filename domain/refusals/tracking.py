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
    ("退订列表中没有这一条。", "请刷新列表；它可能已被移除。"),
    ("There is no such entry among the suppressions.", "Reload the list; it may have been removed already."),
)
register(
    "suppressions_too_many",
    422,
    ("一次最多添加 {limit} 个地址。", "请分几次添加。"),
    ("At most {limit} addresses can be added at once.", "Add them in several steps."),
)
