"""HTTP: publish, read and break DNS records."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Field

from sandbox.config import Record
from sandbox.parts import PartsOf
from sandbox.zones import BadRecord, Entry, Fault

router = APIRouter(prefix="/dns", tags=["dns"])


class RecordIn(BaseModel):
    """A record set; TXT values may be plain text of any length."""

    name: str = Field(max_length=255, examples=["sd1._domainkey.mail.customer.example"])
    type: str = Field(max_length=10, examples=["TXT"])
    values: list[str] = Field(max_length=100, examples=[["v=DKIM1; k=rsa; p=MIIBIjANBg"]])
    ttl: int = 60

    def record(self) -> Record:
        """As the zones take it."""
        return Record(self.name, self.type, tuple(self.values), self.ttl)


class FaultIn(BaseModel):
    """``fault`` null ends the fault; ``*.name`` means everything below name."""

    name: str = Field(max_length=255, examples=["qq.com"])
    fault: Fault | None = Fault.SERVFAIL
    times: int | None = Field(default=None, ge=1, description="questions it lasts; null: until removed")


def refused(problem: BadRecord) -> HTTPException:
    """The HTTP form of a record that cannot be published."""
    return HTTPException(422, str(problem))


def shape(entry: Entry) -> dict[str, Any]:
    """One record set as JSON."""
    record = entry.record
    return {
        "name": record.name,
        "type": record.type,
        "values": list(record.values),
        "ttl": record.ttl,
        "origin": entry.origin,
    }


@router.get("/records")
async def read_records(parts: PartsOf, zone: str | None = None) -> dict[str, Any]:
    """Published record sets, of one zone (a name and all below it) or of all."""
    try:
        return {"records": [shape(entry) for entry in parts.zones.records(zone)]}
    except BadRecord as problem:
        raise refused(problem) from None


@router.put("/records")
async def replace_records(body: RecordIn, parts: PartsOf) -> dict[str, Any]:
    """Publish a record set in place of what is at that name and type."""
    try:
        record = await parts.zones.publish(body.record())
    except BadRecord as problem:
        raise refused(problem) from None
    return {"name": record.name, "type": record.type, "values": list(record.values), "ttl": record.ttl}


@router.post("/records")
async def add_records(body: RecordIn, parts: PartsOf) -> dict[str, Any]:
    """Add values to what is at that name and type."""
    try:
        record = await parts.zones.add(body.record())
    except BadRecord as problem:
        raise refused(problem) from None
    return {"name": record.name, "type": record.type, "values": list(record.values), "ttl": record.ttl}


@router.delete("/records")
async def delete_records(
    parts: PartsOf, name: str, kind: Annotated[str | None, Query(alias="type")] = None, value: str | None = None
) -> dict[str, int]:
    """Delete one value, one record set, or (without ``type``) everything at a name; counts the values."""
    try:
        return {"deleted": await parts.zones.withdraw(name, kind.upper() if kind else None, value)}
    except BadRecord as problem:
        raise refused(problem) from None


@router.get("/{zone}/records")
async def read_zone(zone: str, parts: PartsOf) -> dict[str, Any]:
    """The same as ``/dns/records?zone=``."""
    return await read_records(parts, zone)


@router.get("/faults")
async def read_faults(parts: PartsOf) -> dict[str, Any]:
    """Faults in force and how many questions each still lasts."""
    faults = parts.zones.faults().items()
    return {"faults": [{"name": name, "fault": each.fault, "times": each.times} for name, each in faults]}


@router.post("/faults")
async def set_fault(body: FaultIn, parts: PartsOf) -> dict[str, Any]:
    """Make a name answer SERVFAIL or REFUSED, or not at all."""
    try:
        name = await parts.zones.set_fault(body.name, body.fault, body.times)
    except BadRecord as problem:
        raise refused(problem) from None
    return {"name": name, "fault": body.fault, "times": body.times}


@router.post("/reset")
async def reset(parts: PartsOf) -> dict[str, int]:
    """Forget every edit and every fault: only the built-in records stay."""
    await parts.zones.reset()
    return {"records": len(parts.zones.records())}
