"""Lanes: limits, pausing, the queue status."""

from domain.refusals.wording import register

register(
    "lane_limit_malformed",
    422,
    ("数值须在 {least} 到 {most} 之间。", "请填写数字；留空表示不限制（突发量不能留空）。"),
    ("The number must be from {least} to {most}.", "Type a number; blank means no limit (not for the burst)."),
)
register(
    "lane_already_paused",
    409,
    ("该通道已经暂停。", "请刷新页面查看是谁、因何暂停。"),
    ("This lane is paused already.", "Reload the page to see by whom, and why."),
)
register(
    "lane_not_paused",
    409,
    ("该通道没有暂停。", "无需恢复；请刷新页面查看当前状态。"),
    ("This lane is not paused.", "Nothing is to be resumed; reload the page to see how it stands."),
)
register(
    "lane_changed_meanwhile",
    409,
    ("该通道的设置刚被他人修改。", "请刷新页面，核对新的设置后再改。"),
    ("Somebody else changed this lane's settings just now.", "Reload the page, and look at the new ones first."),
)
register(
    "queue_status_busy",
    503,
    ("排队的邮件太多，统计超时。", "邮件照常发送；请稍后再看。"),
    ("So much is waiting that counting it took too long.", "Mails go on; look again in a moment."),
)
