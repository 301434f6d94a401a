"""Lists and files of records."""

from domain.refusals.wording import register

register(
    "records_too_many",
    422,
    ("符合条件的记录太多，未能及时查出。", "请填写起止日期，缩小范围后再试。"),
    ("Too many records match, so the search was ended.", "Name the first and last day to narrow it, then try again."),
)
