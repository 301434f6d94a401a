"""What an activity's failure may say: Temporal keeps it in the history, and shows and logs it (design §3).

A driver's error quotes the row that it choked on, a server's reply quotes the recipient. So of an error that is not
ours only its type and its place in our source are passed on; what we raise on purpose holds ids and codes alone.
"""

import traceback
from pathlib import Path
from typing import Any

from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from domain.errors import SongdaError

_HOUSE = Path(__file__).resolve().parent.parent


class Discretion(Interceptor):
    """Give it to every worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - Temporal's name
        return _Translation(next)


class _Translation(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - Temporal's name
        try:
            return await self.next.execute_activity(input)
        except FailureError:
            raise
        except SongdaError as error:
            raise ApplicationError(str(error), type=type(error).__name__) from None
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is, it goes on without its text
            raise ApplicationError(discreet(error), type=type(error).__name__) from None


def discreet(error: BaseException) -> str:
    """`IntegrityError at store/accounts.py:41 in add`: enough to find the place, nothing of the data."""
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_ours(frame.filename)]
    if not places:
        return type(error).__name__
    last = places[-1]
    where = Path(last.filename).relative_to(_HOUSE)
    return f"{type(error).__name__} at {where}:{last.lineno} in {last.name}"


def _is_ours(filename: str) -> bool:
    path = Path(filename)
    return path.is_relative_to(_HOUSE) and ".venv" not in path.parts and path != Path(__file__)
