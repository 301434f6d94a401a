"""Interceptions, replies and opt-outs of SMS (services/sms_interceptions.py, sms_replies.py, sms_opt_outs.py)."""

from domain.refusals.wording import register

register(
    "sms_interception_unknown",
    404,
    ("短信拦截列表中没有这一条。", "请刷新列表；它可能已被删除，或来源不是您的账户。"),
    ("There is no such record of yours among the SMS interceptions.", "Reload the list; it may have been removed."),
)
register(
    "sms_reply_unknown",
    404,
    ("没有这条短信回复。", "请刷新列表后重试。"),
    ("There is no such SMS reply.", "Reload the list."),
)
register(
    "sms_opt_out_unknown",
    404,
    ("退订列表中没有这一条。", "请刷新列表；它可能已被移除。"),
    ("There is no such entry of the opt-out list.", "Reload the list; it may have been removed already."),
)
register(
    "sms_unblock_unknown",
    404,
    ("没有这个解除拦截的申请。", "请刷新列表后重试。"),
    ("There is no such request to lift an interception.", "Reload the list."),
)
register(
    "sms_too_many_at_once",
    422,
    ("一次最多处理 {limit} 条。", "请分几次进行；更多号码可以用文件导入。"),
    ("At most {limit} can be dealt with at once.", "Do it in several steps, or import a file."),
)
register(
    "sms_not_blocked_by_others",
    409,
    ("这个号码现在没有被来源不是您的全局记录拦截。", "来源是您的记录可以直接删除；没有记录则可以直接发送。"),
    ("No global record of others blocks this number just now.", "Remove your own records, or simply send."),
)
register(
    "sms_unblock_open",
    409,
    ("这个号码的申请正在等待客服处理。", "请等待结果，我们会用邮件通知您。"),
    ("Support is looking at a request about this number already.", "Wait for the answer, which is mailed to you."),
)
register(
    "sms_unblock_too_many",
    409,
    ("等待处理的申请已有 {limit} 个。", "请等待客服处理后再提交。"),
    ("{limit} requests of yours wait for support.", "Wait for their answers before you ask for more."),
)
register(
    "sms_unblock_decided",
    409,
    ("这个申请已经处理过。", "请刷新列表。"),
    ("This request was decided already.", "Reload the list."),
)
register(
    "sms_block_days",
    422,
    ("拦截天数应为 1 至 {limit}。", "请填写天数；号码会被重新分配，因此不能永久拦截。"),
    ("A block lasts 1 to {limit} days.", "Give the days; numbers are given to others, so none is for ever."),
)
register(
    "sms_global_unknown",
    404,
    ("这个号码现在没有全局拦截记录。", "请核对号码；记录可能已到期或已被解除。"),
    ("No global record blocks this number just now.", "Check the number; the record may have ended or been lifted."),
)
register(
    "sms_opted_out_by_owner",
    409,
    ("其中 {count} 个号码是手机用户自己退订的，继续发送营销短信会招致投诉。",
     "确有对方重新同意时，请确认后再移除（despite_reply=true）。"),
    ("{count} of these numbers were opted out by their owners; writing to them brings complaints.",
     "If they consented anew, say despite_reply=true."),
)  # fmt: skip
register(
    "csv_no_phones",
    422,
    ("文件中没有可以读取的手机号码。", "请在第一列或名为 phone 的列中填写号码。"),
    ("The file holds no phone number that can be read.", "Put the numbers into the first column, or one named phone."),
)
