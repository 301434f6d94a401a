"""Python's collector of cycles, for a process that serves: it took a fifth of the CPU of an accept.

What start-up made (routes, models, tables) lives as long as the process, and was looked through again and again; what a
request makes nearly always dies by its reference counts.
"""

import gc

YOUNG, MIDDLE, OLD = 20_000, 20, 20
"""Objects more than there were, then collections of the younger one, before a generation is looked through."""


def calm() -> None:
    """Once, when a process has been set up: what is there now is never looked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
