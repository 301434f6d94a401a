"""A process that its neighbours cannot look into, though they belong to the same user.

Whoever runs as our user may read our environment (`/proc/<pid>/environ`) and our memory, where the master secret is;
and the decoder of uploads, which is the likeliest part to be broken into, runs as our user.
"""

import ctypes
import os

_PR_SET_DUMPABLE = 4


def keep_private() -> None:
    """From now on only root reads this process's environment and memory, and no core is dumped of it (prctl(2)).

    It ends with the next `exec`: children are not covered. Raises `OSError` when the kernel will not.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        problem = ctypes.get_errno()
        raise OSError(problem, os.strerror(problem))
