"""Pages with forms: DNS records, providers' manners, webhook answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from sandbox.config import Record
from sandbox.hooks import HookScript
from sandbox.manners import MAGIC, Action, Stage
from sandbox.parts import Parts, PartsOf
from sandbox.rendering import page
from sandbox.routes.hooks import HookScriptIn, Name
from sandbox.routes.providers import RuleIn
from sandbox.zones import TYPES, BadRecord, Fault

router = APIRouter(prefix="/ui", include_in_schema=False)

Text = Annotated[str, Form()]
RecordType = Annotated[str, Form(alias="type")]
# What a person left empty arrives as an empty string, which is no number.
MaybeNumber = Annotated[str, Form()]


def _back(path: str) -> RedirectResponse:
    return RedirectResponse(path, status_code=303)


@router.get("/dns")
async def dns_page(request: Request, parts: PartsOf, zone: str = "") -> HTMLResponse:
    """Published records and a form to publish one more."""
    return _dns(request, parts, zone, {"name": zone, "type": "TXT", "value": ""}, "")


def _dns(request: Request, parts: Parts, zone: str, form: dict[str, str], problem: str) -> HTMLResponse:
    try:
        entries = parts.zones.records(zone or None)
    except BadRecord as bad:
        entries, problem = [], problem or str(bad)
    own = [entry.record for entry in entries if entry.origin == "published"]
    given = [entry.record for entry in entries if entry.origin != "published"]
    return page(
        request,
        "dns.html",
        422 if problem else 200,
        zone=zone,
        form=form,
        problem=problem,
        groups=[("已发布 Published", own), ("内置 Built in", given)],
        types=TYPES,
        faults=parts.zones.faults(),
        kinds=list(Fault),
        config=parts.config,
    )


@router.post("/dns/records")
async def publish(request: Request, parts: PartsOf, name: Text, kind: RecordType, value: Text = "") -> Response:
    """Add the lines of the form to the record set."""
    # A long DKIM value is often pasted with line breaks; only MX and the like take one value a line.
    lines = [value.strip()] if kind == "TXT" else [line.strip() for line in value.splitlines() if line.strip()]
    if kind == "TXT":
        lines = ["".join(part.strip(" ") if '"' not in part else part for part in lines[0].splitlines())]
    try:
        await parts.zones.add(Record(name, kind, tuple(lines)))
    except BadRecord as problem:
        return _dns(request, parts, "", {"name": name, "type": kind, "value": value}, str(problem))
    return _back("/ui/dns")


@router.post("/dns/delete")
async def withdraw(parts: PartsOf, name: Text, kind: RecordType, value: Text) -> Response:
    """Delete one value."""
    await parts.zones.withdraw(name, kind, value)
    return _back("/ui/dns")


@router.post("/dns/faults")
async def set_fault(request: Request, parts: PartsOf, name: Text, fault: Text = "") -> Response:
    """Break a name, or mend it with an empty fault."""
    try:
        await parts.zones.set_fault(name, Fault(fault) if fault else None)
    except BadRecord as problem:
        return _dns(request, parts, "", {"name": "", "type": "TXT", "value": ""}, str(problem))
    return _back("/ui/dns")


@router.get("/providers")
async def providers_page(request: Request, parts: PartsOf) -> HTMLResponse:
    """The providers, their texts and scripts."""
    return _providers(request, parts, "", "")


def _providers(request: Request, parts: Parts, at: str, problem: str) -> HTMLResponse:
    return page(
        request,
        "providers.html",
        422 if problem else 200,
        servers=list(parts.servers.by_name.values()),
        magic=MAGIC,
        actions=list(Action),
        stages=list(Stage),
        problem_at=at,
        problem=problem,
    )


@router.post("/providers/{name}/rules")
async def add_rule(
    request: Request,
    name: str,
    parts: PartsOf,
    action: Text,
    match: Text = "*",
    text: Text = "",
    times: MaybeNumber = "",
    seconds: MaybeNumber = "",
    stage: Text = "rcpt",
) -> Response:
    """Put one rule before the others."""
    server = parts.servers.by_name.get(name)
    if server is None:
        return page(request, "missing.html", 404, what=f"服务商 Provider {name}")
    given = {"action": action, "match": match or "*", "text": text, "stage": stage}
    given |= {key: value for key, value in (("times", times), ("seconds", seconds)) if value.strip()}
    try:
        rule = RuleIn.model_validate(given).rule()
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return _providers(request, parts, name, f"{where} {first['msg'].removeprefix('Value error, ')}".strip())
    await parts.servers.set_script(name, (rule, *server.manners.script))
    return _back(f"/ui/providers#{name}")


@router.post("/providers/{name}/clear")
async def clear_rules(request: Request, name: str, parts: PartsOf) -> Response:
    """Back to default manners."""
    if name not in parts.servers.by_name:
        return page(request, "missing.html", 404, what=f"服务商 Provider {name}")
    await parts.servers.set_script(name, ())
    return _back(f"/ui/providers#{name}")


@router.get("/hooks")
async def hooks_page(request: Request, parts: PartsOf) -> HTMLResponse:
    """Every hook that caught something."""
    return page(request, "hooks.html", hooks=await parts.hooks.names(), config=parts.config)


@router.get("/hooks/{name}")
async def hook_page(request: Request, name: Name, parts: PartsOf) -> HTMLResponse:
    """What one hook caught, newest first, and what it answers."""
    return await _hook(request, parts, name, "")


async def _hook(request: Request, parts: Parts, name: str, problem: str) -> HTMLResponse:
    return page(
        request,
        "hook.html",
        422 if problem else 200,
        name=name,
        caught=await parts.hooks.latest(name, 50),
        script=parts.hooks.script(name),
        problem=problem,
        config=parts.config,
    )


@router.post("/hooks/{name}/script")
async def script_hook(
    request: Request,
    name: Name,
    parts: PartsOf,
    status: Text = "200",
    times: MaybeNumber = "",
    delay_seconds: MaybeNumber = "",
) -> Response:
    """Change what the hook answers."""
    given = {"status": status, "times": times, "delay_seconds": delay_seconds}
    try:
        script = HookScriptIn.model_validate({key: value for key, value in given.items() if value.strip()})
    except ValidationError as problem:
        first = problem.errors()[0]
        return await _hook(request, parts, name, f"{first['loc'][0]}: {first['msg']}")
    await parts.hooks.set_script(name, HookScript(**script.model_dump()))
    return _back(f"/ui/hooks/{name}")


@router.post("/hooks/{name}/clear")
async def clear_hook(name: Name, parts: PartsOf) -> Response:
    """Forget what was caught."""
    await parts.hooks.delete(name)
    return _back(f"/ui/hooks/{name}")
