"""Calls that come while others are under way are made together: under load, one round trip for many."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Gathering(Generic[K, V]):
    """`work` answers many questions at once, in their order; an answer that is an exception is raised to who asked.

    Who comes alone is served at once. One batch of at most `most` questions is under way at a time, and the next is
    whatever has gathered meanwhile. What `work` raises is raised to all of its batch.

    `behind`: whoever asks here asks there next, and would wait there for what is under way; so the wait is here, and
    both batches are larger.
    """

    def __init__(
        self,
        work: Callable[[list[K]], Awaitable[Sequence[V | Exception]]],
        most: int,
        behind: "Gathering[Any, Any] | None" = None,
    ) -> None:
        self._work = work
        self._most = most
        self._behind = behind
        self._waiting: list[tuple[K, asyncio.Future[V]]] = []
        self._task: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    async def ask(self, question: K) -> V:
        """The answer to one question. Who is cancelled gets none; the work goes on for the others."""
        answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._idle.is_set():
            self._idle.clear()
            self._task = asyncio.create_task(self._run())
        return await answer

    async def idle(self) -> None:
        """Returns when nothing is under way."""
        await self._idle.wait()

    async def _run(self) -> None:
        while self._waiting:
            if self._behind is not None:
                await self._behind.idle()
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            answers = await _outcome(self._work([question for question, _ in batch]), len(batch))
            for (_, asked), answer in zip(batch, answers, strict=True):
                _settle(asked, answer)
        self._idle.set()  # at once, not when the task is seen to be done: who asks in between would wait for ever


async def _outcome(work: Awaitable[Sequence[V | Exception]], count: int) -> Sequence[V | BaseException]:
    """What the work answers, or `count` times what it raises."""
    doing = asyncio.ensure_future(work)
    await asyncio.wait([doing])
    if doing.cancelled():
        return [asyncio.CancelledError()] * count
    problem = doing.exception()
    return [problem] * count if problem else doing.result()


def _settle(asked: "asyncio.Future[V]", answer: "V | BaseException") -> None:
    if asked.done():  # whoever asked has gone
        return
    if isinstance(answer, asyncio.CancelledError):
        asked.cancel()
    elif isinstance(answer, BaseException):
        asked.set_exception(answer)
    else:
        asked.set_result(answer)
