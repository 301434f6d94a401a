"""What services/sms_reads.py refuses."""

from domain.refusals.wording import register

register(
    "sms_statistics_range",
    422,
    ("日期范围不正确，或超过 {limit} 天。", "请选择不晚于结束日期的开始日期，一次最多 {limit} 天。"),
    (
        "The days are in the wrong order, or more than {limit}.",
        "Begin on or before the last day, and ask for at most {limit} days at once.",
    ),
)  # fmt: skip
