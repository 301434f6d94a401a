"""Applications that are built once and lent to one test after another.

Ours has some 250 routes, and FastAPI works out what each of them takes when the first request comes: 0.2 s of CPU. What
differs between tests (the services behind it) is in `app.state`, and whoever borrows an application sets it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI

from store.db import Database


@dataclass(eq=False)
class Built:
    """An application, and what it was like when it was built."""

    app: FastAPI
    like: object
    state: dict[str, Any] = field(init=False)
    looks: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.state = dict(self.app.state._state)
        self.looks = self.now()

    def now(self) -> tuple[int, ...]:
        return len(self.app.routes), len(self.app.user_middleware), len(self.app.exception_handlers)

    def forget(self) -> None:
        """What a test did to it as it served."""
        self.app.state._state = dict(self.state)
        self.app.dependency_overrides.clear()
        self.app.middleware_stack = None  # a middleware can be added before the first request only


IDLE: list[Built] = []
LENT: list[tuple[Database, Built]] = []


def lent_app(db: Database, like: object, build: Callable[[], FastAPI]) -> FastAPI:
    """What `build` makes, for nobody else until the test gives `db` back; those of one `like` are the same."""
    built = next((each for each in IDLE if each.like == like), None)
    if built is None:
        built = Built(build(), like)
    else:
        IDLE.remove(built)
    LENT.append((db, built))
    return built.app


def give_back(db: Database) -> None:
    """What was lent for this database is free again; an application that was built on is thrown away."""
    for lent in [each for each in LENT if each[0] is db]:
        LENT.remove(lent)
        built = lent[1]
        if built.now() == built.looks:
            built.forget()
            IDLE.append(built)
