"""The API process keeps its environment from the decoders that it starts, which run as the same user."""

import ctypes
import json
import os
import subprocess
import sys

from tests.accounts_world import SECRET
from tests.conftest import CHECKOUT

_PR_CAPBSET_DROP = 24
_API = """
import asyncio, json
from api.app import create_app, lifespan
from domain.errors import Refusal
from services import paper_process
from tests.paper_samples import picture

paper_process._PROGRAM = '''
import json, os, sys
sys.stdin.buffer.read()
try:
    said = "reads it" if b"SONGDA_SECRET_KEY" in open(f"/proc/{os.getppid()}/environ", "rb").read() else "is empty"
except PermissionError:
    said = "is kept out"
print(json.dumps({"refused": said, "params": {}}))
'''

async def decoder():
    try:
        await paper_process.PaperWorkshop().sanitise(picture())
    except Refusal as refusal:
        return refusal.code

async def main():
    before, app = await decoder(), create_app()
    async with lifespan(app):
        print(json.dumps([before, await decoder()]))

asyncio.run(main())
"""


def without_capabilities() -> None:
    """For the program that follows: root may read everything, and API and decoder shall be no more than one user."""
    for number in range(64):
        ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)


def test_a_decoder_cannot_read_the_environment_of_a_started_api(postgres_url: str) -> None:
    """Before the application starts it can: what the test looks at is there."""
    env = {**os.environ, "SONGDA_SECRET_KEY": SECRET, "DATABASE_URL": postgres_url, "PYTHONPATH": str(CHECKOUT)}
    ended = subprocess.run(
        [sys.executable, "-c", _API], env=env, check=False, capture_output=True, text=True, timeout=60,
        preexec_fn=without_capabilities,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == ["reads it", "is kept out"]
