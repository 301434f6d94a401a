"""The least that makes a request durable: a FastAPI application, one model, one INSERT by the driver, one commit.

`python -m bench.bare_insert` is one process, which reads the database's URL from its input; several share a port. It is
what `songda bench accept` is compared with.
"""

import argparse
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel

from supervision.ports import LOOPBACK

TABLE = "bench_bare_insert"
CREATE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sender text NOT NULL,
    recipient text NOT NULL, subject text NOT NULL, html text NOT NULL, at timestamptz NOT NULL DEFAULT now())
"""
_INSERT = f"INSERT INTO {TABLE} (sender, recipient, subject, html) VALUES ($1, $2, $3, $4) RETURNING id"  # noqa: S608
CONNECTIONS = 10


class Mail(BaseModel):
    sender: str
    to: str
    subject: str
    html: str


class Inserted(BaseModel):
    id: int


def create_app(dsn: str) -> FastAPI:
    """The whole application."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.pool = await asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS)
        yield
        await app.state.pool.close()

    app = FastAPI(lifespan=lifespan)

    @app.post("/send")
    async def send(mail: Mail, request: Request) -> Inserted:
        made = await request.app.state.pool.fetchval(_INSERT, mail.sender, mail.to, mail.subject, mail.html)
        return Inserted(id=made)

    return app


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    given = options.parse_args()
    dsn = sys.stdin.readline().strip()
    shared = socket.socket()
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    shared.bind((LOOPBACK, given.port))
    config = uvicorn.Config(create_app(dsn), access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[shared])


if __name__ == "__main__":
    main()
