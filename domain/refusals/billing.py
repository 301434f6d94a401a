"""Money: amounts, recharge, balance, prices."""

from domain.refusals.wording import register

register(
    "amount_malformed",
    422,
    ("金额格式不正确。", "请填写人民币金额，最多两位小数，例如 100 或 100.50。"),
    ("This is no amount of money.", "Give yuan with at most two decimals, like 100 or 100.50."),
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
