"""What replies mean, and when to try again: the tables of the console."""

from domain.refusals.wording import register

register(
    "reply_rule_provider_unknown",
    422,
    (
        "“{part}”既不是通道名称，也不是域名。",
        "请填写通道名称（{known}），或收信服务器的域名，例如 mx.example.com；多个用 | 分隔。",
    ),
    (
        "“{part}” is neither a lane nor a domain.",
        "Name a lane ({known}), or a domain of mail servers, mx.example.com for instance; separate several by |.",
    ),
)
register(
    "reply_rule_enhanced_malformed",
    422,
    ("增强状态码的写法不正确。", "请填写 5.1.1、5.7.* 或 *.2.2 这样的代码；多个用 | 分隔。"),
    ("This is no enhanced status code.", "Write codes such as 5.1.1, 5.7.* or *.2.2; separate several by |."),
)
register(
    "reply_rule_code_malformed",
    422,
    ("回复码的写法不正确。", "请填写 550、45x 或 5xx 这样的代码；多个用 | 分隔。"),
    ("This is no reply code.", "Write codes such as 550, 45x or 5xx; separate several by |."),
)
register(
    "reply_rule_text_malformed",
    422,
    ("文字的写法不正确。", "星号之外须有文字，每段最多 {stars} 个星号。"),
    ("These words cannot be used.", "There must be more than stars, and at most {stars} stars in one alternative."),
)
register(
    "reply_rule_alternatives",
    422,
    ("分隔符 | 之间是空的，或超过 {limit} 项。", "请删去多余的 |，或分成两条规则。"),
    (
        "Nothing stands between two of the separators |, or there are more than {limit} alternatives.",
        "Remove a |, or write two rules.",
    ),
)
register(
    "reply_rule_fits_all",
    422,
    ("四个条件都是空的，这条规则会匹配所有回复。", "请至少填写一个条件。"),
    ("All four conditions are blank: this rule would fit every reply.", "Fill in one of them at least."),
)
register(
    "reply_rule_choice_unknown",
    422,
    ("没有这个选项。", "请在列表中选择。"),
    ("There is no such choice.", "Pick one from the list."),
)
register(
    "reply_rule_hard_is_for_good",
    422,
    ("hard 类表示地址不能再投递，不能与“稍后重试”同时使用。", "请改为“退信”，或选择其他类别。"),
    (
        "A class of `hard` says that the address is dead, so nothing is tried again.",
        "Bounce it, or take another class.",
    ),
)
register(
    "reply_rule_changed_meanwhile",
    409,
    ("这条规则刚被他人修改。", "请刷新页面，核对新的内容后再改。"),
    ("Somebody else changed this rule just now.", "Reload the page, and look at what it says first."),
)
register(
    "reply_rule_ships",
    409,
    ("这条规则是系统自带的，不能删除。", "可以停用它；以后也能恢复。"),
    ("This rule is built in and cannot be deleted.", "Disable it instead; it can be restored later."),
)
register(
    "reply_rule_own",
    409,
    ("这条规则是操作员添加的，没有自带的版本可恢复。", "请直接编辑，或删除。"),
    ("This rule is an operator's own, so there is nothing to restore.", "Edit it, or delete it."),
)
register(
    "reply_rules_full",
    409,
    ("规则已达 {limit} 条上限。", "请先删除或合并不再需要的规则。"),
    ("There are {limit} rules already, which is the most.", "Delete or merge some first."),
)
register(
    "reply_code_malformed",
    422,
    ("回复码须在 400 到 599 之间。", "请填写对方回复开头的三位数字；退信报告里没有时填 0 或留空。"),
    (
        "The reply code must be from 400 to 599.",
        "Type the reply's first three digits; 0 or nothing when a report names none.",
    ),
)
register(
    "retry_waits_malformed",
    422,
    ("重试间隔的写法不正确。", "请填写 1 到 {most} 之间的分钟数，用逗号分隔，最多 {count} 个。"),
    ("These waits cannot be used.", "Write minutes from 1 to {most}, separated by commas, at most {count} of them."),
)
register(
    "retry_end_malformed",
    422,
    ("放弃时间的写法不正确。", "请填写 1 到 {most} 之间的分钟数，不能超过这类邮件的有效期。"),
    ("This end cannot be used.", "Write minutes from 1 to {most}: such mails live no longer."),
)
register(
    "retry_curve_changed_meanwhile",
    409,
    ("这条重试曲线刚被他人修改。", "请刷新页面，核对新的内容后再改。"),
    ("Somebody else changed this curve just now.", "Reload the page, and look at what it says first."),
)
