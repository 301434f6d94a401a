"""Papers of a company that does not exist: drawn, marked as samples, with numbers whose check digits are right."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw
from stdnum.cn import uscc

SIZE = (900, 640)
IDENTITY = "11010519491231002X"
"""The example in GB 11643 itself: nobody's."""
INK, SHADE, EDGE = (40, 40, 40), (225, 225, 225), (150, 30, 30)


def company_code(tag: str) -> str:
    """A unified social credit code (GB 32100) for this tag (hexadecimal), of a region that does not exist."""
    body = f"91999999MA{tag[:7].upper()}"
    return body + str(uscc.calc_check_digit(body))


def licence(code: str, legible: bool) -> bytes:
    """A PNG; the first one that the customer hands in is too small to be read."""
    lines = ["SAMPLE - NOT A LICENCE", "Qingmu Shop Demo Company", f"USCC {code}", "Valid until 2036-12-31"]
    image = _drawn(lines)
    return _png(image if legible else image.resize((90, 64)))


def filing(number: str) -> bytes:
    """A PDF of one page: what the filing authority's page would show."""
    out = io.BytesIO()
    _drawn(["SAMPLE - ICP FILING", f"filing {number.encode('ascii', 'replace').decode()}"]).save(out, "PDF")
    return out.getvalue()


def _drawn(lines: Sequence[str]) -> Image.Image:
    image = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((20, 20, SIZE[0] - 20, SIZE[1] - 20), outline=EDGE, width=6)
    for place in range(60, SIZE[1] - 60, 40):
        pen.line((40, place, SIZE[0] - 40, place), fill=SHADE)
    for place, line in enumerate(lines):
        pen.text((80, 90 + 110 * place), line, fill=INK, font_size=44)
    return image


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
