"""Uploaded papers: what they really are, and the same without anything that could act (OWASP, File Upload Cheat Sheet).

Bytes in, bytes out, no I/O. Names and declared types are never looked at. An image is drawn anew (metadata, appended
archives and scripts stay behind); of a PDF only the pages are kept. It takes up to seconds: call it in a thread.
"""

import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from enum import StrEnum

import pikepdf
import puremagic
from PIL import Image, ImageOps

from domain.errors import Refusal

MAX_BYTES = 10 * 2**20
MAX_PIXELS = 50_000_000
"""150 MB when decoded: a phone's 48-megapixel picture passes, a bomb does not."""
MAX_SIDE = 4_000
"""Pixels of the longer side that are kept: an A4 page at 340 dpi."""
MAX_PAGES = 30
MAX_OBJECTS = 20_000
FIELD = "file"
_BROKEN = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, OverflowError, MemoryError,
    AttributeError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's decoders raise on hostile input, besides what they promise."""


class PaperType(StrEnum):
    JPEG = "image/jpeg"
    PNG = "image/png"
    PDF = "application/pdf"


ENDINGS = {PaperType.JPEG: "jpg", PaperType.PNG: "png", PaperType.PDF: "pdf"}


@dataclass(frozen=True)
class Paper:
    """A paper that can be kept and shown."""

    media_type: PaperType
    data: bytes


def sanitise(data: bytes) -> Paper:
    """The paper anew. Raises `Refusal` on field `file`: empty, too large, another type, two types, damaged, locked.

    What comes out is bounded like what comes in: a PDF of some kilobytes may unpack to anything.
    """
    if not data:
        raise Refusal("paper_empty", field=FIELD)
    _require_size(data)
    kind = sniff(data)
    _require_one_format(data, kind)
    paper = Paper(kind, _clean_pdf(data)) if kind is PaperType.PDF else _redraw(data, kind)
    _require_size(paper.data)
    return paper


def _require_size(data: bytes) -> None:
    if len(data) > MAX_BYTES:
        raise Refusal("paper_too_large", field=FIELD, megabytes=MAX_BYTES // 2**20)


def sniff(data: bytes) -> PaperType:
    """By the bytes alone. Raises `Refusal("paper_bad_type")`."""
    try:
        found = puremagic.magic_string(data)
    except (puremagic.PureError, ValueError):
        found = []
    types = {each.mime_type for each in found[:1]} | {each.mime_type for each in found if each.confidence >= 0.8}
    starts = next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)
    if starts is None or starts.value not in types:
        raise Refusal("paper_bad_type", field=FIELD)
    return starts


_MAGIC = ((b"\xff\xd8\xff", PaperType.JPEG), (b"\x89PNG\r\n\x1a\n", PaperType.PNG), (b"%PDF-", PaperType.PDF))
"""All three have to begin at the first byte: a format that may begin later could hide behind another one."""
_HEAD = 1024
_MARKUP = re.compile(rb"<\s*(script|html|svg|iframe|!doctype)", re.IGNORECASE)


def _require_one_format(data: bytes, kind: PaperType) -> None:
    """Refuse a file that another program would read as something else: somebody made it so on purpose."""
    also = ""
    if _is_zip(data):
        also = "ZIP"
    elif kind is not PaperType.PDF and (b"%PDF-" in data[:_HEAD] or b"%PDF-" in data[-(64 * 1024) :]):
        also = "PDF"
    elif _MARKUP.search(data[:_HEAD]):
        also = "HTML"
    if also:
        raise Refusal("paper_polyglot", field=FIELD, kind=also)


def _is_zip(data: bytes) -> bool:
    """Whether an unpacker would find entries in it, wherever it begins (appended archives, JARs, Office files)."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return bool(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, OSError, UnicodeDecodeError):
        return False


def _redraw(data: bytes, kind: PaperType) -> Paper:
    """The picture's pixels on a new canvas, upright, in RGB, at most `MAX_SIDE` long."""
    try:
        with Image.open(io.BytesIO(data), formats=(kind.name,)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_many_pixels()
            drawn = _on_canvas(image)
        return _encoded(drawn, kind)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except _BROKEN as error:
        raise Refusal("paper_damaged", field=FIELD) from error


def _too_many_pixels() -> Refusal:
    return Refusal("paper_too_many_pixels", field=FIELD, megapixels=MAX_PIXELS // 1_000_000)


def _on_canvas(image: Image.Image) -> Image.Image:
    image.draft("RGB", (MAX_SIDE, MAX_SIDE))  # JPEG decodes large pictures smaller; other formats ignore it
    image.load()
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail((MAX_SIDE, MAX_SIDE))
    if upright.mode.startswith("I"):  # 16 bits a pixel: Pillow would cut off instead of scaling
        upright = upright.convert("I").point(lambda value: value / 256).convert("L")
    shaped = upright.convert("RGBA") if upright.has_transparency_data else upright.convert("RGB")
    canvas = Image.new("RGB", shaped.size, "white")  # a new picture: no comment, profile or text comes along
    canvas.paste(shaped, mask=shaped if shaped.mode == "RGBA" else None)
    return canvas


def _encoded(canvas: Image.Image, kind: PaperType) -> Paper:
    """PNG stays PNG (screenshots stay sharp), unless it would be larger than what may be uploaded."""
    if kind is PaperType.PNG:
        sharp = io.BytesIO()
        canvas.save(sharp, "PNG")
        if sharp.tell() <= MAX_BYTES:
            return Paper(kind, sharp.getvalue())
    out = io.BytesIO()
    canvas.save(out, "JPEG", quality=90)
    return Paper(PaperType.JPEG, out.getvalue())


def _clean_pdf(data: bytes) -> bytes:
    """The pages in a new document: whatever hung on the old one's catalogue, names, forms or notes stays behind."""
    try:
        with pikepdf.open(io.BytesIO(data)) as source:
            _require_readable(source)
            return _pages_alone(source)
    except pikepdf.PasswordError as error:
        raise Refusal("paper_encrypted", field=FIELD) from error
    except (pikepdf.PdfError, RuntimeError, RecursionError, *_BROKEN) as error:
        raise Refusal("paper_damaged", field=FIELD) from error


def _require_readable(source: pikepdf.Pdf) -> None:
    if source.is_encrypted:
        raise Refusal("paper_encrypted", field=FIELD)
    if not source.pages or len(source.objects) > MAX_OBJECTS:
        raise Refusal("paper_damaged", field=FIELD)
    if len(source.pages) > MAX_PAGES:
        raise Refusal("paper_too_many_pages", field=FIELD, limit=MAX_PAGES)


_OF_PAGES = frozenset({"/Type", "/Parent", "/MediaBox", "/CropBox", "/Rotate", "/UserUnit", "/Resources", "/Contents"})
_ACTING = (
    "/A", "/AA", "/AF", "/Annots", "/EF", "/JS", "/JavaScript", "/Metadata", "/OPI", "/OpenAction", "/PieceInfo",
    "/PS", "/Ref", "/RichMedia", "/XFA",
)  # fmt: skip
"""Keys that start, carry or fetch something (ISO 32000-2 §12.6, §7.11.4, §8.10.4), or tell of the author."""


def _pages_alone(source: pikepdf.Pdf) -> bytes:
    with pikepdf.new() as clean:
        for page in source.pages:
            clean.pages.append(page)
        for page in clean.pages:
            for key in set(page.obj.keys()) - _OF_PAGES:
                del page.obj[key]
        for each in clean.objects:
            _disarm(each)
        out = io.BytesIO()
        clean.save(out, object_stream_mode=pikepdf.ObjectStreamMode.disable)
        return out.getvalue()


def _disarm(node: pikepdf.Object, depth: int = 0) -> None:
    """Remove acting keys from an object and the direct ones inside it."""
    if depth > 50:
        raise ValueError("nested too deeply")
    if isinstance(node, pikepdf.Array):
        children = list(node)
    elif isinstance(node, pikepdf.Dictionary | pikepdf.Stream):
        for key in _ACTING:
            if key in node:
                del node[key]
        children = [value for _, value in node.items()]
    else:
        return
    for child in children:
        if isinstance(child, pikepdf.Object) and not child.is_indirect:
            _disarm(child, depth + 1)
