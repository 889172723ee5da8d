"""Whole files and locks, in the face of failures and of other processes."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from calm import atomic
from calm.errors import UserError


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "deep" / "a.json"
    atomic.write_text(path, "old")
    with pytest.raises(RuntimeError), atomic.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_write_left_is_found_and_removed(tmp_path):
    path, other = tmp_path / "last.pth.tar", tmp_path / "best.pth.tar"
    with atomic.replacing(path) as temporary:
        temporary.write_text("whole")
        left = Path(f"{temporary}".replace(f".{os.getpid()}.", ".7."))
        left.write_text("half")
    other.write_text("other")
    atomic.remove_leftovers(path)
    assert sorted(tmp_path.iterdir()) == [other, path]


def test_a_name_of_the_longest_kind_is_written(tmp_path):
    path = tmp_path / ("x" * 250 + ".json")
    atomic.write_text(path, "whole")
    assert path.read_text() == "whole" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_takes_no_more_is_one_sentence_and_the_old_file_is_whole(tmp_path, number):
    path = tmp_path / "last.pth.tar"
    atomic.write_text(path, "old")
    with (
        pytest.raises(UserError, match=r"last.pth.tar cannot be written") as error,
        atomic.replacing(path) as temporary,
    ):
        temporary.write_text("half")
        raise OSError(number, os.strerror(number))
    assert os.strerror(number) in str(error.value) and path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_file_in_the_way_of_a_folder_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        atomic.write_text(tmp_path / "file" / "a.json", "x")


def test_another_file_that_is_missing_is_not_said_to_be_unwritable(tmp_path):
    with pytest.raises(FileNotFoundError), atomic.replacing(tmp_path / "a.json"):
        Path(tmp_path / "other.json").read_text()


HOLD = """
import os, sys, time
from calm.atomic import exclusive
with exclusive(sys.argv[1]):
    if os.fork() == 0:
        time.sleep(30)
        os._exit(0)
    print("held", flush=True)
    time.sleep(30)
"""


@pytest.fixture
def holder(tmp_path, pytestconfig):
    """A process that holds the lock of tmp_path/run, and a child that it forked."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run" / "lock")]
    process = subprocess.Popen(
        command, cwd=pytestconfig.rootpath, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_lock_keeps_others_out_and_names_its_owner(tmp_path, holder):
    lock = tmp_path / "run" / "lock"
    owner = rf"run is in use by process {holder.pid} on .* since 20"
    with pytest.raises(UserError, match=owner) as error, atomic.exclusive(lock):
        pytest.fail("entered")
    assert "\n" not in str(error.value)


def test_a_killed_owners_lock_is_taken_over_at_once(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)  # its forked child lives on
    holder.wait()
    with atomic.exclusive(tmp_path / "run" / "lock"), atomic.exclusive(tmp_path / "other"):
        assert (tmp_path / "run" / "lock").is_file()
    assert not list((tmp_path / "run").iterdir())


def test_a_lock_is_waited_for(tmp_path, holder):
    start = time.monotonic()
    with pytest.raises(UserError, match="in use"), atomic.exclusive(tmp_path / "run" / "lock", wait=0.5):
        pytest.fail("entered")
    assert time.monotonic() - start >= 0.5
