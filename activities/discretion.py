"""What an activity's failure may say: Temporal keeps it in the history, and shows and logs it (design §3).

Of an error that is not ours only its type and its place in our source are passed on; what we raise on purpose holds
ids and codes alone.
"""

from typing import Any

from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from domain.discretion import discreet
from domain.errors import SongdaError


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
