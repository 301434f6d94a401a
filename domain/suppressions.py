"""Who does not want an account's mails in batch: why, and how addresses are compared."""

from enum import StrEnum

MAX_ADDED = 1000
"""Addresses that one request may add by hand."""


class SuppressionReason(StrEnum):
    UNSUBSCRIBE = "unsubscribe"
    """The recipient asked, by the link of a mail."""
    MANUAL = "manual"
    """A member of the account entered it."""


class Consent(StrEnum):
    """How the recipient of one mail stands with its sender."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"
    """By this very mail, which can take it back."""
    SUPPRESSED = "suppressed"
    """By another mail, or by the sender."""


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def suppression_key(address: str) -> str:
    """A normalised address as it is compared here: A–Z lower-cased in the local part, too.

    Only ASCII letters, so that Python and PostgreSQL (`lower(address COLLATE "C") COLLATE "default"`) agree whatever
    the database's locale is. RFC 5321 lets `Li` and `li` be two mailboxes; who unsubscribed as one is not written to
    as the other.
    """
    return address.translate(_LOWER)
