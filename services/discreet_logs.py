"""Tracebacks in logs without the texts of errors, which quote addresses and rows (design §3)."""

import logging

from domain.discretion import discreet, places

LOGGERS = ("uvicorn.error", "asyncio", "temporalio.activity", "temporalio.worker", "temporalio.workflow")
"""Where libraries write down the errors that we let pass."""

SILENT = ("mail.log",)
"""Where a library (aiosmtpd) writes down what clients say: addresses, and what they sign in with."""


class Discreet(logging.Filter):
    """Puts the course of an error in place of its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: the record stays, its error is told otherwise."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            record.exc_text = "\n".join([discreet(error), *(f"  {place}" for place in places(error))])
            record.exc_info = None
        return True


def install() -> None:
    """Once, by a composition root, after logging was set up."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(each, Discreet) for each in logger.filters):
            logger.addFilter(Discreet())
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
