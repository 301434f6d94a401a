"""`songda sandbox smsc` as a developer runs it."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from domain.sending import OutcomeKind
from domain.sms_carriers import IdForm
from tests.smpp_world import Heard, MemoryBook, config_of, free_port, gateway, ready, sms
from tests.test_cli import complaint, songda

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("name", "carrier", "form"), [("cpm", 0, IdForm.AS_IS), ("pit", 1, IdForm.HEX_TO_DECIMAL)])
async def test_it_takes_texts_reports_them_and_says_what_it_counted(name: str, carrier: int, form: IdForm) -> None:
    port = free_port()
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "sandbox", "smsc", "--port", str(port), "--carrier", name),
        *("--receipt-delay", "0.1"),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert running.stdout is not None
        said = (await asyncio.wait_for(running.stdout.readuntil(b"delivered"), 30)).decode()
        assert f"on 127.0.0.1:{port}" in said and "system_id songda, password pretend" in said
        assert "9010     throttled twice" in said
        book, heard = MemoryBook(config_of(port, carrier, id_form=form)), Heard()
        async with gateway(book, heard) as carriers:
            await ready(carriers)
            made = carriers.get(1)
            assert made is not None
            done = await made.submit(sms("+8613800130000"))
            assert (await heard.receipt_of(done.ids[0])).state == "DELIVRD"
            assert (await made.submit(sms("+8613800139012"))).outcome.kind is OutcomeKind.BOUNCED
            running.send_signal(signal.SIGINT)
            _, ended = await asyncio.wait_for(running.communicate(), 30)
    finally:
        if running.returncode is None:
            running.kill()
    counts = json.loads(ended.decode().split("Stopping: ")[1])
    assert running.returncode == 0
    assert {key: counts[key] for key in ("binds", "taken", "refused", "receipts", "told")} == {
        "binds": 1, "taken": 1, "refused": 1, "receipts": 1, "told": 1,
    }  # fmt: skip


def test_a_carrier_that_there_is_not() -> None:
    assert "one of cpm, pit" in complaint(songda("sandbox", "smsc", "--carrier", "nope"))
