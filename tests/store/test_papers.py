"""Papers on a disk: sealed, ours alone, and gone when they are deleted."""

import stat
from pathlib import Path

import pytest
from cryptography.fernet import InvalidToken
from obstore.store import MemoryStore

from domain.secrets import Vault
from store.papers import PaperStore, new_key

VAULT = Vault("a test's master secret, 32 characters and more")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "some data" / "documents"


@pytest.fixture
def papers(folder: Path) -> PaperStore:
    return PaperStore.open(folder.as_uri(), VAULT)


async def test_what_is_put_comes_back_until_it_is_deleted(papers: PaperStore) -> None:
    key = new_key()
    await papers.put(key, b"\x00paper\xff" * 100_000)
    assert await papers.get(key) == b"\x00paper\xff" * 100_000
    await papers.delete(key)
    await papers.delete(key)
    with pytest.raises(FileNotFoundError):
        await papers.get(key)


async def test_on_the_disk_there_is_ciphertext_that_only_we_can_read(papers: PaperStore, folder: Path) -> None:
    await papers.put(new_key(), b"a face and a number")
    (file,) = folder.iterdir()
    assert b"face" not in file.read_bytes()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_file_that_was_moved_or_altered_is_not_read(papers: PaperStore, folder: Path) -> None:
    mine, other = new_key(), new_key()
    await papers.put(mine, b"mine")
    await papers.put(other, b"other")
    (folder / mine).write_bytes((folder / other).read_bytes())
    with pytest.raises(InvalidToken):
        await papers.get(mine)
    (folder / other).write_bytes(b"\x80" + (folder / other).read_bytes()[1:-9] + b"AAAAAAAA=")
    with pytest.raises(InvalidToken):
        await papers.get(other)
    with pytest.raises(InvalidToken):
        await PaperStore.open(folder.as_uri(), Vault("another master secret, 32 characters long")).get(mine)


async def test_a_second_process_finds_what_the_first_kept(papers: PaperStore, folder: Path) -> None:
    key = new_key()
    await papers.put(key, b"paper")
    assert await PaperStore.open(folder.as_uri(), VAULT).get(key) == b"paper"


async def test_any_object_store_will_do() -> None:
    bucket = MemoryStore()
    papers, key = PaperStore(bucket, VAULT), new_key()
    await papers.put(key, b"paper")
    assert await papers.get(key) == b"paper"
    await papers.delete(key)
    with pytest.raises(FileNotFoundError):
        await papers.get(key)


def test_keys_are_random_and_plain_names() -> None:
    assert len({new_key() for _ in range(100)}) == 100
    assert all(len(key) == 40 and key.isalnum() for key in (new_key() for _ in range(10)))


def test_a_bucket_is_opened_without_speaking_to_it() -> None:
    assert isinstance(PaperStore.open("s3://papers/songda", VAULT), PaperStore)
