"""The working calendar of the console."""

from domain.refusals.wording import register

register(
    "calendar_day_out_of_reach",
    422,
    ("日期超出范围。", "请填写 {first} 至 {last} 之间的日期。"),
    ("This day is out of reach.", "Give a day from {first} to {last}."),
)
register(
    "calendar_day_not_set",
    404,
    ("这一天没有单独设置。", "它按公布的放假安排计算，无需删除。"),
    ("Nothing was set for this day.", "It follows the published calendar already."),
)
register(
    "calendar_year_needs_no_word",
    409,
    ("{year} 年无需确认，或还不能确认。", "只有尚未公布、且在今后两年内的年份可以确认。"),
    ("Nothing is to be confirmed about {year}.", "Only years that are not published yet, up to two ahead, can be."),
)
