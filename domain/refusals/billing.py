"""Money: amounts, recharge, balance, prices."""

from domain.refusals.wording import register

register(
    "amount_malformed",
    422,
    (
        "金额格式不正确。",
        "请用半角数字填写人民币金额，小数点后最多两位，逗号只能用作千位分隔，例如 100、100.50 或 1,000.50。",
    ),
    (
        "This is no amount of money.",
        "Give yuan in the digits 0 to 9, with a point before at most two decimals and commas between thousands only, "
        "like 100, 100.50 or 1,000.50.",
    ),
)
register(
    "balance_insufficient",
    402,
    ("余额不足：本次发送需要 {needed}，可用余额 {available}。", "请先充值：账户设置 → 充值（/portal/recharges）。"),
    (
        "The balance does not cover this: {needed} is needed, {available} is available.",
        "Recharge first: /portal/recharges.",
    ),
)
register(
    "price_malformed",
    422,
    ("单价格式不正确。", "请填写每封邮件或每条短信的人民币单价，大于 0、不超过 10 元，最多六位小数，例如 0.0045。"),
    (
        "This is no unit price.",
        "Give yuan for one mail or segment, above 0 and up to 10, at most six decimals, like 0.0045.",
    ),
)
register(
    "price_country",
    422,
    ("这不是短信的国家或地区代码。", "短信请填写两位代码，如 HK、GB，留空表示中国大陆；邮件不分国家，请留空。"),
    (
        "This is no code of a country for SMS.",
        "For SMS give two letters, like HK or GB, or none for mainland China; for mail leave it empty.",
    ),
)
register(
    "price_in_past",
    422,
    ("生效时间已过：价格不能追溯。", "请填写将来的时间，或留空以立即生效。"),
    ("This time has passed, and a price never applies backwards.", "Give a later time, or none to begin at once."),
)
register(
    "recharge_not_offered",
    409,
    ("这里没有开通在线充值。", "请联系客服了解其他付款方式：/contact。"),
    ("Online recharge is not set up here.", "Ask support how else to pay: /contact."),
)
register(
    "recharge_amount",
    422,
    ("单笔充值金额应在 {least} 到 {most} 之间。", "请修改金额；更大的金额可以分几笔充值。"),
    ("One recharge is between {least} and {most}.", "Change the amount; recharge more in several steps."),
)
register(
    "recharges_open",
    409,
    ("已有 {limit} 个充值订单等待付款。", "请先支付或关闭其中一个：账户设置 → 充值（/portal/recharges）。"),
    ("{limit} recharges wait to be paid already.", "Pay or close one of them first: /portal/recharges."),
)
register(
    "refund_in_hand",
    409,
    ("刚刚向支付渠道请求过退款，它可能正在退。", "请一分钟后刷新页面，确认仍未退款再登记。"),
    (
        "The provider was asked to refund this just now, and may be doing it.",
        "Look again in a minute, and record it only if it is still not refunded.",
    ),
)
register(
    "refund_not_wanted",
    409,
    ("这笔付款没有在等待退款：已经入账，或已有人登记、渠道已退款。", "请查看本页的状态和审计记录。"),
    (
        "This payment does not wait for a refund: it is credited, or was refunded or recorded so already.",
        "See its state and what is on record here.",
    ),
)
register(
    "recharge_paid",
    409,
    ("这个充值订单已经到账，不能关闭。", "请查看余额；如需退款请联系客服：/contact。"),
    ("This recharge is credited already and cannot be closed.", "See the balance; ask support for a refund: /contact."),
)
