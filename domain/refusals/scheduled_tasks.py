"""Scheduled tasks: what domain/cadences.py, domain/cron.py, domain/scheduled_tasks.py and their service refuse."""

from domain.refusals.wording import register

register(
    "task_not_found",
    404,
    ("没有这个定时任务。", "请在“发送相关-定时任务”中查看。"),
    ("There is no such scheduled task.", "See Sending → Scheduled tasks (GET /v1/scheduled-tasks)."),
)
register(
    "run_not_found",
    404,
    ("没有这次执行。", "请在该定时任务的执行记录中查看。"),
    ("The task has no such run.", "See the runs of the task (GET /v1/scheduled-tasks/{{id}}/runs)."),
)
register(
    "task_name",
    422,
    ("任务名称须为 1 至 {limit} 个字符，不含控制字符。", "请修改名称。"),
    ("The name must have 1 to {limit} characters, no control characters.", "Change the name."),
)
register(
    "task_state",
    409,
    ("定时任务{state}，不能{command}。", "请刷新页面查看当前状态。"),
    ("The scheduled task is {state}: it cannot {command}.", "Look at its state and try what fits."),
)
register(
    "run_state",
    409,
    ("这次执行{state}，不能再{command}。", "请刷新页面查看当前状态。"),
    ("The run is {state}: nobody can decide “{command}” any more.", "Look at its state."),
)
register(
    "task_changed",
    409,
    ("您打开页面后，该任务已被修改为第 {current} 版。", "请重新打开后再修改，以免覆盖他人的改动。"),
    (
        "The task was changed since you read it: it is at version {current}.",
        "Read it again and repeat your change with that version.",
    ),
)
register(
    "task_running",
    409,
    ("该任务的上一次执行还没有结束。", "请等它结束，或先在执行记录中处理它。"),
    ("An earlier run of the task is not over.", "Wait until it is over, or decide on it first."),
)
register(
    "too_many_tasks",
    409,
    ("未结束的定时任务最多 {limit} 个。", "请先取消不再需要的任务。"),
    ("An account may have {limit} scheduled tasks that are not over.", "Cancel those that are not needed."),
)
register(
    "task_channel",
    422,
    ("任务的通道不能修改。", "请新建一个任务。"),
    ("The channel of a task cannot be changed.", "Create another task."),
)
register(
    "schedule_past",
    422,
    ("这个时间已经过去。", "请填写将来的时间。"),
    ("This time is in the past.", "Give a time that is still to come."),
)
register(
    "schedule_too_far",
    422,
    ("时间最多在 {days} 天以内。", "请填写更近的时间，或使用重复任务。"),
    ("The time may be at most {days} days ahead.", "Give an earlier time, or let the task repeat."),
)
register(
    "schedule_zone",
    422,
    ("没有名为“{name}”的时区。", "请使用 IANA 时区名称，例如 Asia/Shanghai。"),
    ("There is no time zone “{name}”.", "Use an IANA name, like Asia/Shanghai."),
)
register(
    "schedule_time_malformed",
    422,
    ("这不是一个时间。", "请写成 2026-12-31 09:00，或带时区偏移的 2026-12-31T09:00+08:00。"),
    ("This is no time.", "Write 2026-12-31 09:00, or with an offset 2026-12-31T09:00+08:00."),
)
register(
    "schedule_time_missing",
    422,
    ("{zone} 当天时钟拨快，没有 {time} 这个时间。", "请选择早一小时或晚一小时的时间。"),
    (
        "In {zone} the clock is set forward on that day and never shows {time}.",
        "Choose an hour earlier or an hour later.",
    ),
)
register(
    "schedule_time_twice",
    422,
    ("{zone} 当天时钟拨慢，{time} 会出现两次。", "请写明偏移：{first} 是第一次，{second} 是第二次。"),
    (
        "In {zone} the clock is set back on that day and shows {time} twice.",
        "Say which with its offset: {first} is the first, {second} the second.",
    ),
)
register(
    "schedule_ends_before",
    422,
    ("结束时间早于开始时间。", "请修改其中一个。"),
    ("The end lies before the start.", "Change one of them."),
)
register(
    "schedule_never",
    422,
    ("按这个规则，任务一次也不会执行。", "请修改日期规则或结束时间。"),
    ("By this rule the task never runs.", "Change the days or the end."),
)
register(
    "schedule_days",
    422,
    ("请填写 1 至 {most} 之间的数字。", "星期一为 1，星期日为 7；日期为 1 至 31。"),
    ("Only numbers from 1 to {most} can stand here.", "Monday is 1 and Sunday 7; days of a month are 1 to 31."),
)
register(
    "cron_malformed",
    422,
    ("cron 表达式的这一部分无法识别：{part}", "请写五段：分 时 日 月 星期，例如 30 9 * * 1-5。"),
    (
        "This part of the cron expression cannot be read: {part}",
        "Write five fields: minute hour day month weekday, like 30 9 * * 1-5.",
    ),
)
register(
    "cron_too_often",
    422,
    ("任务最多每小时执行一次，分钟部分只能是一个数字：{minutes}", "请把分钟写成 0 至 59 之间的一个数字。"),
    (
        "A task runs at most once an hour, so the minute is one number: {minutes}",
        "Write one number from 0 to 59 as the minute.",
    ),
)
register(
    "cron_both_days",
    422,
    ("日期和星期不能同时限定：不同的 cron 程序对此理解不同。", "请把其中一个写成 *。"),
    (
        "Day of month and day of week cannot both be limited: cron programs disagree on what that means.",
        "Write * for one of them.",
    ),
)
register(
    "task_catch_up",
    422,
    ("补发时限须为 {least} 至 {most} 分钟。", "请修改。"),
    ("The catch-up window must be {least} to {most} minutes.", "Change it."),
)
register(
    "task_late",
    422,
    ("“算作延误”的分钟数须为 {least} 至 {most}，不超过补发时限。", "请修改。"),
    (
        "A run counts as late after {least} to {most} minutes: not more than the catch-up window.",
        "Change it.",
    ),
)
register(
    "task_reason",
    422,
    ("原因最多 {limit} 个字符，不含控制字符。", "请修改。"),
    ("The reason may have {limit} characters, no control characters.", "Change it."),
)
register(
    "task_missed",
    409,
    ("原定时间 {time} 系统没有运行，超过了补发时限，没有发送。", "请点“立即执行”补发，或修改时间，或取消任务。"),
    (
        "At {time}, its time, nothing could run, and the catch-up window has passed: nothing was sent.",
        "Run it now, give it another time, or cancel it.",
    ),
)
register(
    "contact_list_unknown",
    422,
    ("没有名为“{name}”的联系人列表。", "请在“短信-联系人列表”中查看列表的名称或编号。"),
    ("There is no contact list “{name}”.", "See SMS → Contact lists for its name or number."),
)
register(
    "task_content",
    422,
    ("请填写短信（sms）或邮件（email）其中一项。", "只填写其中一项。"),
    ("A task sends either sms or email.", "Give one of both."),
)
