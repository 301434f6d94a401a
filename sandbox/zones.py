"""The names of the pretend Internet: what is published, and what a question about a name gets."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from sandbox.config import Record
from sandbox.database import Database

TYPES = ("A", "AAAA", "MX", "TXT", "CNAME", "NS", "SOA", "PTR", "SRV", "CAA")
# Country-code registries that sell names below a second label, so that ``shop.com.cn`` is a zone of its own.
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})
_CHAIN_LIMIT = 12

Key = tuple[dns.name.Name, str]


class Fault(StrEnum):
    """What a name can be made to do instead of answering."""

    SERVFAIL = "servfail"
    TIMEOUT = "timeout"
    REFUSED = "refused"


class BadRecord(ValueError):
    """A record that cannot be published; the text names the field, the problem and the next step."""


@dataclass(frozen=True)
class Entry:
    """One published record set, ready to answer with."""

    record: Record
    rrset: dns.rrset.RRset
    origin: str  # built-in or published


@dataclass
class Found:
    """The answer to one question: ``exists`` tells NOERROR from NXDOMAIN when ``answer`` ends empty."""

    answer: list[dns.rrset.RRset] = field(default_factory=list)
    soa: dns.rrset.RRset | None = None
    exists: bool = True


@dataclass
class ScriptedFault:
    """A fault and how many questions it still lasts (None: until removed)."""

    fault: Fault
    times: int | None


class Zones:
    """All record sets in memory; edits are kept in the database and survive restarts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._entries: dict[Key, Entry] = {}
        self._built_in: list[Record] = []
        self._names: dict[dns.name.Name, int] = {}
        self._faults: dict[str, ScriptedFault] = {}

    async def load(self, built_in: Iterable[Record]) -> None:
        """Publish ``built_in``, then everything people edited earlier on top."""
        self._built_in = list(built_in)
        edits, faults = await self._database.run(_read_all)
        self._entries.clear()
        self._names.clear()
        for record in self._built_in:
            self._put(_entry(record, "built-in"))
        for record in edits:
            self._remove(_key(record.name, record.type))
            if record.values:
                self._put(_entry(record, "published"))
        self._faults = {name: ScriptedFault(Fault(fault), times) for name, fault, times in faults}

    async def publish(self, record: Record) -> Record:
        """Replace the record set at ``record.name``; returns it normalised. Raises BadRecord."""
        entry = _entry(record, "published")
        key = _key(entry.record.name, entry.record.type)
        self._refuse_cname_beside_others(key)
        await self._database.run(_write_record, entry.record)
        self._remove(key)
        self._put(entry)
        return entry.record

    async def add(self, record: Record) -> Record:
        """Add values to the record set that is there, as a person does who pastes one more TXT."""
        clean = _entry(record, "published").record
        present = self._entries.get(_key(clean.name, clean.type))
        before = present.record.values if present else ()
        values = tuple(dict.fromkeys((*before, *clean.values)))
        return await self.publish(Record(clean.name, clean.type, values, clean.ttl))

    async def withdraw(self, name: str, type_: str | None = None, value: str | None = None) -> int:
        """Delete record sets (or one value of one set); returns how many values went."""
        owner = _name(name)
        keys = [key for key in self._entries if key[0] == owner and type_ in (None, key[1])]
        removed = 0
        for key in keys:
            removed += await self._withdraw_from(key, value)
        return removed

    async def _withdraw_from(self, key: Key, value: str | None) -> int:
        record = self._entries[key].record
        kept = () if value is None else tuple(each for each in record.values if each != value)
        if kept == record.values:
            return 0
        # An empty list is kept as a row: it hides a built-in record after a restart.
        await self._database.run(_write_record, Record(record.name, record.type, kept, record.ttl))
        self._remove(key)
        if kept:
            self._put(_entry(Record(record.name, record.type, kept, record.ttl), "published"))
        return len(record.values) - len(kept)

    async def reset(self) -> None:
        """Forget every edit and fault: only the built-in records stay."""
        await self._database.run(_forget_all)
        await self.load(self._built_in)

    async def set_fault(self, name: str, fault: Fault | None, times: int | None = None) -> str:
        """Make ``name`` (or everything below it, as ``*.name``) misbehave; None ends it."""
        owner = _name(name).to_text(omit_final_dot=True)
        await self._database.run(_write_fault, owner, fault, times)
        self._faults.pop(owner, None)
        if fault is not None:
            self._faults[owner] = ScriptedFault(fault, times)
        return owner

    def faults(self) -> dict[str, ScriptedFault]:
        """The faults in force, by name."""
        return dict(self._faults)

    def take_fault(self, owner: dns.name.Name) -> Fault | None:
        """The fault this question meets, counting it."""
        if not self._faults:
            return None
        name = owner.canonicalize()
        keys = [name.to_text(omit_final_dot=True)]
        while len(name) > 2:
            name = name.parent()
            keys.append("*." + name.to_text(omit_final_dot=True))
        for key in keys:
            scripted = self._faults.get(key)
            if scripted is not None and scripted.times != 0:
                if scripted.times is not None:
                    scripted.times -= 1
                return scripted.fault
        return None

    def records(self, zone: str | None = None) -> list[Entry]:
        """Published sets, sorted by name; of one zone (the name and all below it) or of all."""
        under = None if zone is None else _name(zone)
        chosen = [e for (n, _), e in self._entries.items() if under is None or n.is_subdomain(under)]
        return sorted(chosen, key=lambda e: (e.record.name.split(".")[::-1], e.record.type))

    def find(self, owner: dns.name.Name, type_: str) -> Found:
        """Answer a question as an authoritative server would that follows CNAMEs (RFC 1034 §4.3.2)."""
        found = Found()
        seen: set[dns.name.Name] = set()
        while owner not in seen and len(seen) < _CHAIN_LIMIT:
            seen.add(owner)
            entries = self._at(owner)
            if type_ in entries or (type_ == "ANY" and entries):
                chosen = entries.values() if type_ == "ANY" else (entries[type_],)
                found.answer += [_rename(entry.rrset, owner) for entry in chosen]
                return found
            if "CNAME" not in entries:
                self._explain_absence(found, owner, type_, bool(entries))
                return found
            found.answer.append(_rename(entries["CNAME"].rrset, owner))
            owner = entries["CNAME"].rrset[0].target.canonicalize()
        return found

    def texts(self, name: str) -> list[bytes]:
        """The TXT values at ``name``, strings joined; empty when there are none or a fault is in force."""
        owner = _name(name)
        if self.take_fault(owner) is not None:
            return []
        sets = [rrset for rrset in self.find(owner, "TXT").answer if rrset.rdtype == dns.rdatatype.TXT]
        return [b"".join(rdata.strings) for rrset in sets for rdata in rrset]

    def _explain_absence(self, found: Found, owner: dns.name.Name, type_: str, has_other: bool) -> None:
        zone = self._zone_of(owner)
        own = self._entries.get((zone, "SOA"))
        soa = own.rrset if own else _soa(zone)
        if owner == zone and type_ == "SOA":
            found.answer.append(soa)
            return
        # A name without records of its own exists when something is published below it (RFC 8020).
        found.exists = has_other or owner in self._names
        found.soa = soa

    def _at(self, owner: dns.name.Name) -> dict[str, Entry]:
        entries = {t: self._entries[owner, t] for t in TYPES if (owner, t) in self._entries}
        if entries or owner in self._names:
            return entries
        ancestor = owner
        while len(ancestor) > 1:
            ancestor = ancestor.parent()
            star = dns.name.Name((b"*", *ancestor.labels))
            if star in self._names:
                return {t: self._entries[star, t] for t in TYPES if (star, t) in self._entries}
            if ancestor in self._names:  # the closest encloser ends the search (RFC 4592)
                return {}
        return {}

    def _zone_of(self, owner: dns.name.Name) -> dns.name.Name:
        name = owner
        while len(name) > 1:
            if (name, "SOA") in self._entries:
                return name
            name = name.parent()
        registered = _registered_domain(owner)
        # Names nobody registered are denied by the root.
        return registered if registered in self._names else dns.name.root

    def _put(self, entry: Entry) -> None:
        owner = entry.rrset.name
        self._entries[owner, entry.record.type] = entry
        self._count(owner, 1)

    def _remove(self, key: Key) -> None:
        if self._entries.pop(key, None) is not None:
            self._count(key[0], -1)

    def _count(self, owner: dns.name.Name, step: int) -> None:
        # Every ancestor of a published name exists too; the counts tell when one stops existing.
        while len(owner) > 1:
            self._names[owner] = self._names.get(owner, 0) + step
            if not self._names[owner]:
                del self._names[owner]
            owner = owner.parent()

    def _refuse_cname_beside_others(self, key: Key) -> None:
        others = [t for (name, t) in self._entries if name == key[0] and t != key[1]]
        name = key[0].to_text(omit_final_dot=True)
        if key[1] == "CNAME" and others:
            raise BadRecord(f"name: {name} has {', '.join(others)} already; delete them before a CNAME")
        if "CNAME" in others:
            raise BadRecord(f"name: {name} has a CNAME, which allows no other record; delete it first")


def _name(text: str) -> dns.name.Name:
    try:
        name = dns.name.from_text(text.strip().rstrip(".") or ".").canonicalize()
    except (dns.exception.DNSException, UnicodeError) as problem:
        raise BadRecord(f"name: {text!r} is not a domain name ({problem}); write it like mail.example.com") from None
    return name


def _key(name: str, type_: str) -> Key:
    return _name(name), type_


def _entry(record: Record, origin: str) -> Entry:
    owner, type_ = _name(record.name), record.type.strip().upper()
    if type_ not in TYPES:
        raise BadRecord(f"type: {record.type!r} is not served here; use one of {', '.join(TYPES)}")
    if owner == dns.name.root:
        raise BadRecord("name: a record needs a name; write it like mail.example.com")
    if not record.values:
        raise BadRecord("values: at least one value is needed; to remove records use DELETE")
    if not 0 <= record.ttl <= 604_800:
        raise BadRecord("ttl: choose seconds between 0 and 604800")
    if type_ in ("CNAME", "SOA") and len(record.values) > 1:
        raise BadRecord(f"values: {type_} takes exactly one value")
    rdatas = [_rdata(type_, value.strip()) for value in record.values]
    rrset = dns.rrset.from_rdata_list(owner, record.ttl, rdatas)
    shown = [
        value.strip() if type_ == "TXT" else rdata.to_text() for value, rdata in zip(record.values, rdatas, strict=True)
    ]
    clean = Record(owner.to_text(omit_final_dot=True), type_, tuple(dict.fromkeys(shown)), record.ttl)
    return Entry(clean, rrset, origin)


def _rdata(type_: str, value: str) -> dns.rdata.Rdata:
    text = value
    if type_ == "TXT":
        text = _quoted(value)
    elif type_ == "MX" and " " not in value:
        text = f"10 {value}"
    try:
        return dns.rdata.from_text("IN", type_, text, origin=dns.name.root, relativize=False)
    except (dns.exception.DNSException, UnicodeError, ValueError) as problem:
        raise BadRecord(f"values: {value[:80]!r} is not a {type_} value ({problem or 'syntax'})") from None


def _quoted(value: str) -> str:
    """TXT in zone-file form: quoted strings stay as they are, plain text is cut into 255 bytes each."""
    if re.fullmatch(r'("(?:[^"\\]|\\.)*"\s*)+', value):
        return value
    data = value.encode()
    pieces = [data[at : at + 255] for at in range(0, len(data), 255)] or [b""]
    return " ".join('"' + "".join(f"\\{byte:03d}" for byte in piece) + '"' for piece in pieces)


def _registered_domain(owner: dns.name.Name) -> dns.name.Name:
    labels = owner.labels
    two_letter = len(labels) > 3 and len(labels[-2]) == 2 and labels[-3].decode("ascii", "replace") in _SECOND_LEVEL
    return dns.name.Name(labels[-4 if two_letter else -3 :])


def _rename(rrset: dns.rrset.RRset, owner: dns.name.Name) -> dns.rrset.RRset:
    if rrset.name == owner:
        return rrset
    return dns.rrset.from_rdata_list(owner, rrset.ttl, list(rrset))


def _soa(zone: dns.name.Name) -> dns.rrset.RRset:
    # Minimum 5 s: a customer who has just published a record shall not wait for a negative cache.
    text = "ns.sandbox.example. hostmaster.sandbox.example. 1 3600 600 86400 5"
    return dns.rrset.from_text(zone, 60, "IN", "SOA", text)


def _read_all(db: sqlite3.Connection) -> tuple[list[Record], list[tuple[str, str, int | None]]]:
    rows = db.execute("SELECT name, type, value_list, ttl FROM records ORDER BY type <> 'CNAME'").fetchall()
    edits = [Record(row["name"], row["type"], tuple(json.loads(row["value_list"])), row["ttl"]) for row in rows]
    faults = db.execute("SELECT name, fault, times FROM dns_faults").fetchall()
    return edits, [(row["name"], row["fault"], row["times"]) for row in faults]


def _write_record(db: sqlite3.Connection, record: Record) -> None:
    db.execute(
        "INSERT OR REPLACE INTO records (name, type, ttl, value_list) VALUES (?, ?, ?, ?)",
        (record.name, record.type, record.ttl, json.dumps(record.values)),
    )


def _write_fault(db: sqlite3.Connection, name: str, fault: Fault | None, times: int | None) -> None:
    db.execute("DELETE FROM dns_faults WHERE name = ?", (name,))
    if fault is not None:
        db.execute("INSERT INTO dns_faults (name, fault, times) VALUES (?, ?, ?)", (name, str(fault), times))


def _forget_all(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM records")
    db.execute("DELETE FROM dns_faults")
