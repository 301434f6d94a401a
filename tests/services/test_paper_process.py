"""Uploads are taken apart behind a wall: what kills the decoder kills nothing else."""

import asyncio
import tracemalloc

import pytest

from domain.errors import Refusal
from domain.papers import MAX_BYTES, PaperType
from services import paper_process
from services.paper_process import PaperWorkshop
from tests.paper_samples import archive, noise, object_stream_bomb, pdf, picture, swelling


async def code(data: bytes) -> str:
    with pytest.raises(Refusal) as caught:
        await PaperWorkshop().sanitise(data)
    assert caught.value.field == "file"
    return caught.value.code


async def test_papers_come_back_clean() -> None:
    shop = PaperWorkshop()
    assert (await shop.sanitise(picture())).media_type is PaperType.JPEG
    kept = await shop.sanitise(pdf(2))
    assert kept.media_type is PaperType.PDF
    assert kept.data.startswith(b"%PDF-")


async def test_refusals_come_back_with_their_words() -> None:
    with pytest.raises(Refusal) as caught:
        await PaperWorkshop().sanitise(noise() + archive())
    assert (caught.value.code, caught.value.params) == ("paper_polyglot", {"kind": "ZIP"})
    assert await code(b"") == "paper_empty"
    assert await code(b"x" * (MAX_BYTES + 1)) == "paper_too_large"


async def test_a_file_that_takes_all_memory_takes_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """120 KB that unpack to 120 MB, in a process that may have 400: the library wants several times as much."""
    limited = paper_process._PROGRAM.replace(
        "; main()", "; import services.paper_process as p; p.MEMORY = 400 * 2**20; main()"
    )
    monkeypatch.setattr(paper_process, "_PROGRAM", limited)
    bomb = object_stream_bomb(120_000_000)
    assert len(bomb) < 300_000
    try:
        kept = await PaperWorkshop().sanitise(bomb)
    except Refusal as refusal:
        assert refusal.code == "paper_damaged"
    else:
        assert len(kept.data) < 10_000, "the library gave the stream up"
    assert (await PaperWorkshop().sanitise(picture())).media_type is PaperType.JPEG


async def test_what_swells_is_refused_before_it_reaches_us() -> None:
    """60 KB that become 60 MB when they are written anew, within all limits of the process."""
    swollen = swelling(60_000_000)
    assert len(swollen) < 100_000
    assert await code(swollen) == "paper_too_large"


@pytest.mark.parametrize(
    "said", ["b'x' * 2**20", "b'\\n' + b'x' * 2**20", "b'{\"type\": \"image/png\"}\\n' + b'x' * 2**20"]
)
async def test_a_process_that_never_stops_talking_is_not_listened_to(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """What a decoder answers that somebody broke into: of more than a paper's size nothing is kept."""
    endless = f"import sys\nwhile True: sys.stdout.buffer.write({said})"
    monkeypatch.setattr(paper_process, "_PROGRAM", endless)
    monkeypatch.setattr(paper_process, "PATIENCE", 600.0)
    tracemalloc.start()
    try:
        assert await asyncio.wait_for(code(picture()), 30) == "paper_damaged"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * MAX_BYTES


@pytest.mark.parametrize("said", ["hello", "[]", "{}", '{"type": "text/html"}', '{"refused": 1}', "x" * 2_000])
async def test_what_is_no_answer_of_ours_is_a_damaged_file(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr(paper_process, "_PROGRAM", f"import sys; sys.stdin.buffer.read(); print({said!r})")
    assert await code(picture()) == "paper_damaged"


async def test_a_process_that_dies_or_hangs_is_a_damaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_process, "_PROGRAM", "import os; os.abort()")
    assert await code(picture()) == "paper_damaged"
    monkeypatch.setattr(paper_process, "PATIENCE", 0.3)
    monkeypatch.setattr(paper_process, "_PROGRAM", "import time; time.sleep(60)")
    assert await code(picture()) == "paper_damaged"


async def test_the_process_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONGDA_SECRET_KEY", "do not pass on")
    look = (
        "import os, sys, json; sys.stdin.buffer.read();"
        "print(json.dumps({'refused': str(sorted(os.environ)), 'params': {}}))"
    )
    monkeypatch.setattr(paper_process, "_PROGRAM", look)
    assert "SONGDA" not in await code(picture())
