"""The data folder: one holder, private secrets, leftovers."""

import subprocess
from pathlib import Path

import psutil
import pytest

from supervision.errors import CannotStart
from supervision.folder import Folder, end_leftovers, hold, is_held, kept_secret, read_children, remember_children


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "data")
    made.make()
    return made


def test_one_holder_at_a_time(folder: Folder) -> None:
    assert not is_held(folder)
    first = hold(folder)
    assert is_held(folder)
    with pytest.raises(CannotStart, match=r"in use by another songda up \(pid \d+\).*--data DIR"):
        hold(folder)
    first.close()
    assert not is_held(folder)
    hold(folder).close()


def test_a_secret_is_kept_and_private(folder: Folder) -> None:
    first = kept_secret(folder.root / "secret-key")
    assert len(first) >= 32
    assert kept_secret(folder.root / "secret-key") == first
    assert (folder.root / "secret-key").stat().st_mode & 0o777 == 0o600


def test_an_unusable_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotStart, match=r"Cannot write to .*--data DIR"):
        Folder(tmp_path / "file" / "data").make()


def test_leftovers_are_ended(folder: Folder) -> None:
    child = subprocess.Popen(["/bin/sleep", "60"])
    remember_children(folder, {"api": child.pid})
    said: list[str] = []
    end_leftovers(folder, said.append)
    assert not psutil.pid_exists(child.pid)
    child.wait()
    assert said == ["The last run was killed: ending 1 of its processes first."]


def test_a_number_that_now_belongs_to_somebody_else_is_left_alone(folder: Folder) -> None:
    child = subprocess.Popen(["/bin/sleep", "60"])
    born = psutil.Process(child.pid).create_time()
    folder.children.write_text(f'{{"api": [{child.pid}, {born - 3600}]}}')
    end_leftovers(folder, pytest.fail)
    assert child.poll() is None
    child.kill()
    child.wait()


def test_a_torn_note_is_no_obstacle(folder: Folder) -> None:
    folder.children.write_text('{"api": [12')
    assert read_children(folder) == {}
