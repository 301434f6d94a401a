"""What goes wrong, in words a caller can act on.

SongdaError
├── Refusal          the request cannot be accepted; `code` is stable, see domain/refusals/
├── BadXsmtpapi      X-SMTPAPI cannot be followed, see domain/xsmtpapi.py
├── Unreadable       a mail cannot be taken as it is, see domain/submitted_mail.py
├── LeaseLost        this process no longer owns its connections; someone else accounts for their messages
└── StaleEpoch       the database was restored after this process began
"""


class SongdaError(Exception):
    """Base of every error that Songda raises on purpose."""


class Refusal(SongdaError):
    """The request cannot be accepted, and nothing of it was done.

    `code` names an entry of `domain.refusals.REFUSALS`, which holds status and texts; `params` fill its texts;
    `field` is the caller's name of the offending field, with a path where it is nested (`recipients[3].address`).
    """

    def __init__(self, code: str, field: str | None = None, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.field = field
        self.params = params


class LeaseLost(SongdaError):
    """This process's sender lease ended."""


class StaleEpoch(SongdaError):
    """The database epoch in the input is older than the database's."""
