"""What may be said of an error where others read it: histories, logs (design §3).

A driver's error quotes the row that it choked on, a server's reply quotes the recipient. So of an error only its type
and its place in our source are passed on.
"""

import traceback
from pathlib import Path

_HOUSE = Path(__file__).resolve().parent.parent


def places(error: BaseException) -> list[str]:
    """Where in our source it came through, outermost first: `store/accounts.py:41 in add`."""
    frames = traceback.extract_tb(error.__traceback__)
    return [
        f"{Path(frame.filename).relative_to(_HOUSE)}:{frame.lineno} in {frame.name}"
        for frame in frames
        if _is_ours(Path(frame.filename))
    ]


def discreet(error: BaseException) -> str:
    """`IntegrityError at store/accounts.py:41 in add`: enough to find the place, nothing of the data."""
    ours = places(error)
    return f"{type(error).__name__} at {ours[-1]}" if ours else type(error).__name__


def _is_ours(path: Path) -> bool:
    return path.is_relative_to(_HOUSE) and ".venv" not in path.parts and "site-packages" not in path.parts
