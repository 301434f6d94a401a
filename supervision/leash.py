"""Becomes another program that ends when its parent does: `python leash.py PARENT SIGNAL UID GID PROGRAM [ARG…]`.

A launcher of its own, because a `preexec_fn` may deadlock in a process that has threads. Standard library only: it runs
with `python -I -S`, which takes about 10 ms. UID and GID are numbers, or `-` to stay who we are.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def become(uid: str, gid: str) -> None:
    """Give up root for good: groups first, since a user without rights cannot change them."""
    if uid == "-":
        return
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))


def die_with(parent: int, signal_number: int) -> None:
    """Ask Linux to signal this process at its parent's death; elsewhere the next `up` ends what was left over."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)


def main(arguments: list[str]) -> None:
    """Never returns."""
    parent, signal_number, uid, gid, *command = arguments
    become(uid, gid)
    die_with(int(parent), int(signal_number))  # after the change of user, which would clear it
    os.execv(command[0], command)  # noqa: S606 - no shell is what we want


if __name__ == "__main__":
    main(sys.argv[1:])
