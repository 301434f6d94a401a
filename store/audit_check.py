"""What a check of the audit is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """`name` says what must hold; `query` finds where it does not ($1: the instant before which things are late)."""

    name: str
    query: str
