"""Our two SMTP servers."""

from enum import StrEnum


class Door(StrEnum):
    """The role's name on the command line and in the stack."""

    SUBMISSION = "submission"
    """Customers hand over mails (RFC 6409)."""
    INBOUND = "inbound"
    """The world answers: bounces, complaints, replies."""
