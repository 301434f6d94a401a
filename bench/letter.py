"""The letter of the benches: a shop's newsletter with five variables and five links, some 7.6 KB as it is sent."""

SUBJECT = "%name%，十二月的新书到了 New books of December"
VARIABLES = ("name", "city", "coupon", "points", "level")
"""Of the template; every list member has all of them."""
SIZE = 2_750
"""Bytes of the HTML. With its text part, headers, rewritten links and base64 the mail has the 7.6 KB that the design's
numbers assume."""
_LINK = "https://www.bench-shop.example/books/{number}?from=letter"
_GOODS = (
    "《江湖夜雨十年灯》 A novel of the road, printed on thick paper, with eight woodcuts",
    "《一个人的厨房》 Ninety dishes for small kitchens, each on one page",
    "《看云识天气》 Clouds and what they say about tomorrow, with photographs",
    "《旧城门》 The gates of the old town, drawn before they were torn down",
)
_FILLER = (
    "<p>编辑们读了这个月的两百多本新书，挑出其中最想和朋友分享的几本。 Our editors read more than two hundred new "
    "books this month, and chose the few that they would lend to a friend without asking to have them back soon.</p>\n"
)


def html() -> str:
    """The template's HTML, always the same."""
    goods = "".join(_row(number, text) for number, text in enumerate(_GOODS, 1))
    head = (
        '<!DOCTYPE html>\n<html lang="zh"><head><meta charset="utf-8"><title>新书 New books</title></head>\n'
        '<body style="margin:0;font-family:Helvetica,Arial,sans-serif;background:#f4f1ea;color:#222">\n'
        '<table role="presentation" width="600" cellpadding="16" cellspacing="0" align="center"><tr><td>\n'
        "<h1>%name%，你好</h1>\n<p>%city%的读者，这里是十二月的新书。 Dear reader in %city%, these are the new books."
        "</p>\n<p>你有 <strong>%points%</strong> 分，是 %level% 会员。优惠码 <strong>%coupon%</strong>。</p>\n"
    )
    tail = (
        f'</table>\n<p><a href="{_LINK.format(number="all")}">全部新书 All new books</a></p>\n'
        "<p>青木书店，武汉市解放大道 100 号</p>\n</td></tr></table></body></html>\n"
    )
    body = '<table role="presentation" width="568" cellpadding="8">\n' + goods
    room = SIZE - len((head + body + tail).encode())
    return head + _FILLER * max(0, room // len(_FILLER.encode())) + body + tail


def _row(number: int, text: str) -> str:
    link = _LINK.format(number=number)
    return (
        f'<tr><td style="border-bottom:1px solid #ddd"><h2 style="font-size:18px">{text}</h2>\n'
        f'<p>第 {number} 本 · <a href="{link}" style="color:#8a3b12">去看看 Have a look</a></p></td></tr>\n'
    )
