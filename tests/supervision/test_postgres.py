"""The embedded cluster: who runs it, where it may live, what a kill leaves behind."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervision import postgres
from supervision.errors import CannotStart

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """As root's home: nobody else may enter."""
    folder = Path(tempfile.mkdtemp(prefix="songda-test-"))
    folder.chmod(0o700)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Takes the place of /var/lib/songda."""
    folder = Path(tempfile.mkdtemp(prefix="songda-test-"))
    folder.chmod(0o755)
    monkeypatch.setattr(postgres, "FALLBACK", folder)
    yield folder
    shutil.rmtree(folder)


@as_root
def test_binaries_out_of_reach_are_copied_once(closed_folder: Path, elsewhere: Path) -> None:
    hidden = closed_folder / "pginstall18"
    (hidden / "bin").mkdir(parents=True)
    shutil.copy(postgres.find_binaries() / "postgres", hidden / "bin" / "postgres")
    owner, said = postgres.choose_owner(closed_folder / "data"), list[str]()
    reachable = postgres.reachable_binaries(hidden / "bin", owner, said.append)
    assert reachable.is_relative_to(elsewhere)
    assert (reachable / "postgres").exists()
    assert postgres.can_enter(reachable, owner)
    assert postgres.reachable_binaries(hidden / "bin", owner, said.append) == reachable
    assert len(said) == 1


@as_root
def test_data_out_of_reach_is_kept_elsewhere(closed_folder: Path, elsewhere: Path) -> None:
    owner, said = postgres.choose_owner(closed_folder / "data"), list[str]()
    kept = postgres.reachable_data(closed_folder / "data", owner, "word", said.append)
    assert kept.is_relative_to(elsewhere)
    assert kept.stat().st_uid == owner.uid
    assert f"the rows are kept in {kept}" in said[0]
    assert postgres.reachable_data(closed_folder / "data", owner, "word", said.append) == kept
    assert postgres.reachable_data(closed_folder / "data", owner, "new", said.append) != kept


@as_root
def test_root_is_never_the_owner(tmp_path: Path) -> None:
    assert postgres.choose_owner(tmp_path / "new").uid not in (None, 0)
    (tmp_path / "old").mkdir()
    os.chown(tmp_path / "old", 12345, 12345)
    assert postgres.choose_owner(tmp_path / "old") == postgres.Owner(12345, 12345)


async def test_a_cluster_of_another_version_is_refused(postgres_server: postgres.Cluster, tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("16\n")
    with pytest.raises(CannotStart, match=r"made by PostgreSQL 16, these binaries are 18.*--data DIR"):
        postgres.check_version(postgres_server.binaries, tmp_path)


async def test_the_running_server_is_not_taken_for_a_dead_one(postgres_server: postgres.Cluster) -> None:
    postgres.forget_dead_postmaster(postgres_server.data)
    assert (postgres_server.data / "postmaster.pid").exists()


def test_the_pid_file_of_a_dead_server_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n/somewhere\n")
    postgres.forget_dead_postmaster(tmp_path)
    assert not (tmp_path / "postmaster.pid").exists()


async def test_the_password_is_asked_for(postgres_server: postgres.Cluster) -> None:
    assert await postgres.answers(postgres_server)
    stranger = postgres.Cluster(
        postgres_server.binaries, postgres_server.data, postgres_server.owner, postgres_server.port, "guess", {}
    )
    assert not await postgres.answers(stranger)
