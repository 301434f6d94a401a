"""Mails that come back, as servers of receivers write them (RFC 3464, RFC 5965), and a door's insides to take them."""

from domain.reply_rule_seeds import classify
from domain.verp import make_token, return_path
from services.inbound import Inbound
from store.db import Database
from tests.sending_world import VAULT

HOST = "bounce.test"


def inbound(db: Database) -> Inbound:
    return Inbound(db, VAULT, HOST, classify)


def path_of(message: int, host: str = HOST) -> str:
    """Where the answers to this message go."""
    return return_path(make_token(VAULT.verp_key, message), host)


def dsn(
    recipient: str, *, action: str = "failed", status: str = "5.1.1", said: str = "550 5.1.1 no such user"
) -> bytes:
    """A delivery status notification about one recipient; without `said` it has no diagnostic."""
    diagnostic = f"Diagnostic-Code: smtp; {said}\r\n" if said else ""
    return (
        "From: MAILER-DAEMON@mx.shop.test\r\nTo: sender@bounce.test\r\nSubject: Delivery report\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b1"\r\n\r\n'
        "--b1\r\nContent-Type: text/plain\r\n\r\nAbout your mail.\r\n"
        "--b1\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.shop.test\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Remote-MTA: dns; inner.shop.test\r\n{diagnostic}\r\n"
        "--b1--\r\n"
    ).encode()


def complaint(quoted: str, feedback_type: str = "abuse") -> bytes:
    """A feedback report; `quoted` are the header lines of the mail that it is about."""
    return (
        "From: fbl@shop.test\r\nTo: fbl@bounce.test\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b1"\r\n\r\n'
        "--b1\r\nContent-Type: text/plain\r\n\r\nA complaint.\r\n"
        "--b1\r\nContent-Type: message/feedback-report\r\n\r\n"
        f"Feedback-Type: {feedback_type}\r\nUser-Agent: Loop/1\r\nVersion: 1\r\n\r\n"
        f"--b1\r\nContent-Type: message/rfc822\r\n\r\n{quoted}Subject: hello\r\n\r\nhello\r\n--b1--\r\n"
    ).encode()


VACATION = (
    b"From: a@shop.test\r\nTo: b@bounce.test\r\nSubject: away\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n"
)
REPLY = b"From: a@shop.test\r\nTo: b@bounce.test\r\nSubject: Re: hello\r\n\r\nThank you!\r\n"
