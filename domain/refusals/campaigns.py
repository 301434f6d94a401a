"""Campaigns: what domain/campaigns.py and store/campaigns.py refuse."""

from domain.refusals.wording import register

register(
    "campaign_not_found",
    404,
    ("没有这个群发任务。", "请在“发送相关-群发任务”中查看。"),
    ("There is no such campaign.", "See Sending → Campaigns (GET /v1/campaigns)."),
)
register(
    "campaign_name",
    422,
    ("任务名称须为 1 至 {limit} 个字符，不含控制字符。", "请修改名称。"),
    ("The name must have 1 to {limit} characters, no control characters.", "Change the name."),
)
register(
    "campaign_time_malformed",
    422,
    ("这不是有效的时间。", "请选择日期和时间，例如 2026-11-23 10:00（北京时间）。"),
    ("This is no time.", "Choose a day and a time, such as 2026-11-23 10:00 (Beijing time)."),
)
register(
    "campaign_hours_malformed",
    422,
    ("每日发送时段须有开始和结束时间。", "请按 09:00 的格式填写，或不限制时段。"),
    ("Daily hours need a beginning and an end.", "Give both, such as 09:00, or do not limit them."),
)
register(
    "campaign_no_lists",
    422,
    ("没有选择地址列表。", "请至少选择一个地址列表。"),
    ("No address list was chosen.", "Choose at least one (GET /v1/address-lists)."),
)
register(
    "campaign_too_many_lists",
    422,
    ("地址列表 {asked} 个，超过上限 {limit} 个。", "请合并列表，或分成几个任务。"),
    ("{asked} lists are more than one campaign takes ({limit}).", "Merge lists, or make several campaigns."),
)
register(
    "campaign_list_unknown",
    422,
    ("没有地址列表“{name}”。", "请填写列表的 id 或别称地址。"),
    ("There is no address list “{name}”.", "Give the list's id or its alias address (GET /v1/address-lists)."),
)
register(
    "campaign_needs_batch",
    422,
    ("“{name}”是触发类 API_USER，不能群发。", "请选择批量类 API_USER 和批量类模板。"),
    ("“{name}” is a trigger API user; campaigns need one of kind batch.", "Pick a batch API user and template."),
)
register(
    "campaign_test_user",
    422,
    ("测试 API_USER 不能群发。", "请选择正式的批量类 API_USER。"),
    ("A test API user cannot send campaigns.", "Pick an API user of kind batch that is not a test user."),
)
register(
    "campaign_life",
    422,
    ("有效时长须在 {least} 至 {most} 小时之间。", "请修改后重试。"),
    ("The time to live must be between {least} and {most} hours.", "Change lives_hours."),
)
register(
    "campaign_too_far_ahead",
    422,
    ("开始时间最多提前 {days} 天。", "请选择更早的时间。"),
    ("A campaign can be scheduled at most {days} days ahead.", "Choose an earlier time."),
)
register(
    "campaign_hours_short",
    422,
    ("每日发送时段至少 {minutes} 分钟。", "请放宽时段，或不限制时段。"),
    ("The daily hours must be at least {minutes} minutes.", "Widen them, or leave hours out."),
)
register(
    "campaign_state",
    409,
    ("任务{state}，不能{command}。", "请刷新页面查看最新状态。"),
    ("The campaign is {state}: it cannot {command} now.", "Look at its state again (GET /v1/campaigns/{{id}})."),
)
register(
    "campaign_version",
    422,
    ("模板没有这个已审核通过的版本。", "请先提交新版本并等待审核通过。"),
    ("The template has no such approved version.", "Submit a new version and wait for its approval."),
)
register(
    "campaign_version_same",
    409,
    ("未发送的邮件已经使用版本 {number}。", "请先提交新版本并等待审核通过。"),
    ("What is unsent already gets version {number}.", "Submit a new version and wait for its approval."),
)
register(
    "campaign_version_variables",
    422,
    ("新版本使用了已复制的地址所没有的变量：{names}。", "请去掉这些变量，或取消后重新创建任务。"),
    (
        "The new version uses variables that the copied members may lack: {names}.",
        "Remove them from the template, or cancel and create a new campaign.",
    ),
)
