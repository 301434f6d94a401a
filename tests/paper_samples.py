"""Files that customers, and others, might upload."""

import io
import zipfile
import zlib
from collections.abc import Callable

import pikepdf
from PIL import Image


def picture(form: str = "JPEG", mode: str = "RGB", size: tuple[int, int] = (60, 40), **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, form, **options)
    return out.getvalue()


def claiming(width: int, height: int) -> bytes:
    """A small PNG whose head promises so many pixels: what a bomb looks like before it is let go off."""
    head = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + picture("PNG", "1")[24:29]
    return picture("PNG", "1")[:12] + head + zlib.crc32(head).to_bytes(4, "big") + picture("PNG", "1")[33:]


def noise(size: tuple[int, int] = (300, 200)) -> bytes:
    """A JPEG that does not compress to nothing."""
    out = io.BytesIO()
    Image.effect_noise(size, 80).convert("RGB").save(out, "JPEG")
    return out.getvalue()


def rotated() -> bytes:
    """60 × 40 as stored, with the camera's word that it has to be turned, a comment, a place and a thumbnail's text."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "taken at home"
    exif[0x8825] = {1: "N", 2: (30.0, 35.0, 1.0)}
    return picture(exif=exif, comment=b"my comment")


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("run.sh", "echo hello")
    return out.getvalue()


def pdf(pages: int = 1, change: Callable[[pikepdf.Pdf], object] | None = None, **options: object) -> bytes:
    with pikepdf.new() as made:
        for _ in range(pages):
            made.add_blank_page()
        if change:
            change(made)
        out = io.BytesIO()
        made.save(out, **options)  # type: ignore[arg-type]
    return out.getvalue()


def arm(made: pikepdf.Pdf) -> None:
    """With everything that acts: scripts, launching, a form, links, an attached file; and with its author."""
    name, words = pikepdf.Name, pikepdf.Dictionary
    launch = words(S=name.Launch, F="cmd.exe")
    made.Root.OpenAction = words(S=name.JavaScript, JS="app.alert(1)")
    made.Root.Names = words(JavaScript=words(Names=pikepdf.Array(["x", words(S=name.JavaScript, JS="evil()")])))
    made.attachments["evil.exe"] = b"MZ evil"
    made.Root.AcroForm = words(Fields=pikepdf.Array([]), XFA="evil form")
    made.docinfo["/Author"] = "evil author"
    page = made.pages[0].obj
    page.AA = words(O=launch)
    page.Annots = pikepdf.Array([made.make_indirect(words(Type=name.Annot, Subtype=name.Link, A=launch))])
    stamp = made.make_stream(b"q Q", Type=name.XObject, Subtype=name.Form, BBox=pikepdf.Array([0, 0, 9, 9]))
    stamp.Metadata = made.make_stream(b"evil metadata")
    stamp.Ref = words(F="http://evil.example/x.pdf", Page=0)
    page.Resources = words(XObject=words(X=stamp))
    page.Contents = made.make_stream(b"/X Do")


ACTING = (
    b"JavaScript", b"/JS", b"Launch", b"OpenAction", b"EmbeddedFile", b"AcroForm", b"XFA", b"/AA", b"/A ", b"evil",
    b"Annot", b"cmd.exe", b"Author", b"/Metadata", b"/Ref",
)  # fmt: skip


def object_stream_bomb(size: int) -> bytes:
    """A small PDF whose object stream unpacks to `size` bytes, inside the library, before anybody can look."""
    return _packed(b" " * size + b"null", b"/Resources<<>>/Contents 1 0 R")


def swelling(size: int) -> bytes:
    """A small PDF with a string of `size` bytes below its page's resources: whoever writes it anew writes it whole."""
    return _packed(b"(" + b"A" * size + b")", b"/Resources<</X 1 0 R>>")


def _packed(content: bytes, page: bytes) -> bytes:
    """One page, and object 1 with this content in a compressed object stream."""
    packed = zlib.compress(b"1 0 " + content, 9)
    objects = [
        b"2 0 obj\n<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>stream\n" % len(packed)
        + packed + b"\nendstream endobj\n",
        b"3 0 obj\n<</Type/Catalog/Pages 4 0 R>>endobj\n",
        b"4 0 obj\n<</Type/Pages/Count 1/Kids[5 0 R]>>endobj\n",
        b"5 0 obj\n<</Type/Page/Parent 4 0 R/MediaBox[0 0 9 9]%s>>endobj\n" % page,
    ]  # fmt: skip
    body, rows = b"%PDF-1.5\n", b"\0" * 6 + b"\2" + (2).to_bytes(4, "big") + b"\0"
    for each in objects:
        rows += b"\1" + len(body).to_bytes(4, "big") + b"\0"
        body += each
    start = len(body)
    rows += b"\1" + start.to_bytes(4, "big") + b"\0"
    table = b"6 0 obj\n<</Type/XRef/Size 7/W[1 4 1]/Root 3 0 R/Length %d>>stream\n" % len(rows)
    return body + table + rows + b"\nendstream endobj\nstartxref\n%d\n%%%%EOF" % start


GIF_SCRIPT = b"GIF89a/*\x01\x00\x01\x00\x80\x00\x00*/=1;alert(document.domain)//"
"""A GIF to a browser that shows pictures, JavaScript to one that is asked for a script."""
