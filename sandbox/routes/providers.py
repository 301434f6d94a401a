"""HTTP: the mailbox providers and their scripts."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field, model_validator

from sandbox.manners import MAGIC, Action, Rule, Stage
from sandbox.parts import PartsOf
from sandbox.providers import MailServer

router = APIRouter(prefix="/providers", tags=["providers"])

_REPLY_LINES = re.compile(r"(?:[45]\d\d-[\x20-\x7e]{0,500}\r\n)*[45]\d\d [\x20-\x7e]{1,500}")


class RuleIn(BaseModel):
    """One rule; the first whose ``match`` fits the recipient decides."""

    match: str = Field(default="*", max_length=320, examples=["vip-*@qq.com"])
    action: Action
    text: str = Field(default="", max_length=2000, examples=["450 4.2.0 come back later"])
    times: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, ge=0, le=600)
    stage: Stage = Stage.RCPT

    @model_validator(mode="after")
    def _reply_has_text(self) -> RuleIn:
        if self.action is Action.REPLY and not _REPLY_LINES.fullmatch(self.text):
            raise ValueError("text: a reply rule needs a 4xx or 5xx SMTP reply, such as '450 4.2.0 come back later'")
        return self

    def rule(self) -> Rule:
        """As the manners take it."""
        return Rule(self.match, self.action, self.text, self.times, self.seconds, self.stage)


class ScriptIn(BaseModel):
    """A whole script; an empty list returns to default manners."""

    rules: list[RuleIn] = Field(max_length=1000)


def shape(server: MailServer) -> dict[str, Any]:
    """One provider as JSON."""
    provider = server.provider
    return {
        "name": provider.name,
        "title": provider.title,
        "domains": list(provider.domains),
        "hosts": list(provider.hosts),
        "address": server.host,
        "port": server.port,
        "wording": asdict(provider.wording),
        "counts": server.counts,
        "script": {"rules": [asdict(rule) for rule in server.manners.script]},
    }


@router.get("")
async def list_providers(parts: PartsOf) -> dict[str, Any]:
    """Every provider with its domains, address, texts, counters since the start, and script."""
    magic = {word: english for word, (_, english, _) in MAGIC.items()}
    return {
        "providers": [shape(server) for server in parts.servers.by_name.values()],
        "magic_local_parts": magic,
    }


@router.put("/{name}/script")
async def replace_script(name: str, body: ScriptIn, parts: PartsOf) -> dict[str, Any]:
    """Replace the script of one provider and forget the tries counted so far."""
    if name not in parts.servers.by_name:
        known = ", ".join(parts.servers.by_name)
        raise HTTPException(404, f"name: there is no provider {name!r}; choose one of {known}")
    await parts.servers.set_script(name, tuple(rule.rule() for rule in body.rules))
    return shape(parts.servers.by_name[name])
