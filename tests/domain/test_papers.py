"""What is uploaded is what it is, whatever it calls itself; what is kept can do nothing."""

import io
import random

import pikepdf
import pytest
from PIL import Image

from domain.errors import Refusal
from domain.papers import MAX_BYTES, MAX_PAGES, MAX_SIDE, PaperType, sanitise
from tests import paper_samples as samples
from tests.paper_samples import ACTING, archive, arm, claiming, noise, pdf, picture, rotated


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def refusal(data: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        sanitise(data)
    assert caught.value.field == "file"
    return caught.value


BAD = {
    "nothing": (b"", "paper_empty"),
    "too large": (b"\xff\xd8\xff" + b"\0" * MAX_BYTES, "paper_too_large"),
    "text": (b"hello", "paper_bad_type"),
    "one byte": (b"\x89", "paper_bad_type"),
    "page": (b"<!doctype html><script>alert(1)</script>", "paper_bad_type"),
    "vector": (b'<?xml version="1.0"?><svg onload="alert(1)"/>', "paper_bad_type"),
    "archive": (archive(), "paper_bad_type"),
    "program": (b"MZ" + b"\0" * 200, "paper_bad_type"),
    "gif": (picture("GIF", "P"), "paper_bad_type"),
    "gif and script": (samples.GIF_SCRIPT, "paper_bad_type"),
    "tiff": (picture("TIFF"), "paper_bad_type"),
    "jpeg and zip": (noise() + archive(), "paper_polyglot"),
    "png and zip": (picture("PNG") + archive(), "paper_polyglot"),
    "pdf and zip": (pdf() + archive(), "paper_polyglot"),
    "jpeg and pdf": (noise() + pdf(), "paper_polyglot"),
    "jpeg and page": (picture(comment=b"<script>alert(1)</script>"), "paper_polyglot"),
    "something before the pdf": (b"MZ\n" + pdf(), "paper_bad_type"),
    "truncated jpeg": (noise()[:-500], "paper_damaged"),
    "truncated png": (picture("PNG", size=(600, 400))[:-40], "paper_damaged"),
    "head of a jpeg": (picture()[:20], "paper_damaged"),
    "truncated pdf": (pdf()[:200], "paper_damaged"),
    "head of a pdf": (b"%PDF-1.7\n%%EOF", "paper_damaged"),
    "pdf without pages": (pdf(0), "paper_damaged"),
    "bomb of pixels": (claiming(50_000, 50_000), "paper_too_many_pixels"),
    "pixels just above": (claiming(8_000, 6_300), "paper_too_many_pixels"),
    "locked pdf": (pdf(encryption=pikepdf.Encryption(owner="a", user="b")), "paper_encrypted"),
    "restricted pdf": (pdf(encryption=pikepdf.Encryption(owner="a", user="")), "paper_encrypted"),
    "long pdf": (pdf(MAX_PAGES + 1), "paper_too_many_pages"),
    "pdf that swells": (samples.swelling(MAX_BYTES), "paper_too_large"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_by_name(name: str) -> None:
    data, code = BAD[name]
    assert refusal(data).code == code


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpegs_become_plain_rgb(mode: str) -> None:
    kept = sanitise(picture("JPEG", mode))
    assert kept.media_type is PaperType.JPEG
    assert (opened(kept.data).format, opened(kept.data).mode, opened(kept.data).size) == ("JPEG", "RGB", (60, 40))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
def test_pngs_become_plain_rgb(mode: str) -> None:
    kept = sanitise(picture("PNG", mode))
    assert kept.media_type is PaperType.PNG
    assert (opened(kept.data).format, opened(kept.data).mode) == ("PNG", "RGB")


def test_a_transparent_picture_lies_on_white_and_16_bits_keep_their_shades() -> None:
    assert opened(sanitise(picture("PNG", "RGBA")).data).getpixel((5, 5)) == (255, 255, 255)
    grey = io.BytesIO()
    Image.new("I;16", (8, 8), 0x8000).save(grey, "PNG")
    assert opened(sanitise(grey.getvalue()).data).getpixel((0, 0)) == (128, 128, 128)


def test_a_rotated_picture_is_upright_and_tells_nothing_any_more() -> None:
    before = rotated()
    assert b"taken at home" in before
    assert b"my comment" in before
    kept = sanitise(before).data
    assert opened(kept).size == (40, 60)
    assert not dict(opened(kept).getexif())
    assert not {"exif", "comment", "icc_profile", "xmp"} & set(opened(kept).info)
    assert b"taken at home" not in kept
    assert b"my comment" not in kept


def test_what_hangs_after_a_picture_stays_behind() -> None:
    kept = sanitise(noise() + b"\0" * 10 + b"#!/bin/sh\nrm -rf /").data
    assert b"/bin/sh" not in kept


def test_large_pictures_are_made_smaller() -> None:
    kept = sanitise(picture("JPEG", "L", (4_400, 2_200)))
    assert opened(kept.data).size == (MAX_SIDE, MAX_SIDE // 2)


def test_an_armed_pdf_is_disarmed_and_keeps_its_pages() -> None:
    before = pdf(3, arm, stream_decode_level=pikepdf.StreamDecodeLevel.none, compress_streams=False)
    assert all(word in before for word in (b"JavaScript", b"Launch", b"EmbeddedFile", b"evil author", b"/Ref"))
    kept = sanitise(before)
    assert kept.media_type is PaperType.PDF
    with pikepdf.open(io.BytesIO(kept.data)) as document:
        assert len(document.pages) == 3
        assert set(document.Root.keys()) <= {"/Type", "/Pages"}
        assert not document.attachments
        assert document.pages[0].obj.Resources.XObject.X.Subtype == "/Form"
        plain = io.BytesIO()
        document.save(plain, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.all)
    assert [word for word in ACTING if word in plain.getvalue()] == []


def test_a_pdf_that_unpacks_to_less_than_the_limit_is_kept() -> None:
    small = samples.swelling(MAX_BYTES // 2)
    assert len(small) < 30_000
    assert MAX_BYTES // 2 < len(sanitise(small).data) <= MAX_BYTES


def test_the_same_bytes_come_out_again() -> None:
    """What was made here is accepted here: a correction may hand it in once more."""
    for data in (noise(), picture("PNG"), pdf(2, arm)):
        once = sanitise(data)
        assert sanitise(once.data).media_type is once.media_type


def test_damaged_files_never_raise_anything_else() -> None:
    dice = random.Random(7)
    for whole in (noise((80, 60)), picture("PNG", size=(80, 60)), pdf(2, arm)):
        for _ in range(60):
            broken = bytearray(whole)
            for _ in range(dice.randint(1, 12)):
                broken[dice.randrange(8, len(broken))] = dice.randrange(256)
            try:
                sanitise(bytes(broken))
            except Refusal as error:
                assert error.code.startswith("paper_")
