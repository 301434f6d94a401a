"""What carriers write in `deliver_sm`: receipts in all their forms, ids, times, and texts of handsets. Pure.

Receipts: SMPP 3.4 appendix B is only an example there, so every field may be missing, in any order and any case; the
optional parameters, where they are sent, are more to be believed.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import smsutil

from domain.sms_carriers import IdForm
from domain.sms_text import halves_kept
from domain.sms_transport import Receipt, ReceiptState

MAX_ID = 65
"""Octets of a message id (SMPP 3.4 §5.2.23)."""
MAX_TEXT, MAX_STATE, MAX_ERROR, MAX_PHONE = 500, 20, 32, 21
USER_MESSAGE_REFERENCE, RECEIPTED_MESSAGE_ID, NETWORK_ERROR_CODE = 0x0204, 0x001E, 0x0423
MESSAGE_PAYLOAD, MESSAGE_STATE = 0x0424, 0x0427
SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER = 0x020C, 0x020E, 0x020F
MOST_PARTS = 255
"""Of a long text: their count has one octet, in a header and in a `sar` parameter."""
HAS_HEADER = 0x40
"""`esm_class`: the text begins with a user data header."""
_TYPE, _RECEIPT_TYPES = 0x3C, (0x04, 0x20)
"""Bits 5–2 of `esm_class`; a delivery receipt, an intermediate notification."""
_WORDS = re.compile(r"\btext\s*:", re.IGNORECASE)
_FIELD = re.compile(r"\b(id|sub|dlvrd|submit date|done date|stat|err|text)\s*:\s*", re.IGNORECASE)
_LIKE_A_RECEIPT = re.compile(
    r"\s*id:\S+\s+sub:\d+\s+dlvrd:\d+\s+submit date:\d+\s+done date:\d+\s+stat:\S+\s+err:", re.IGNORECASE
)
_STATES = dict(enumerate(ReceiptState, 1))
"""`message_state` (SMPP 3.4 §5.2.28): 1 ENROUTE … 8 REJECTED."""
_ALIASES = {
    "DELIVERED": ReceiptState.DELIVRD,
    "UNDELIVERABLE": ReceiptState.UNDELIV,
    "ACCEPTED": ReceiptState.ACCEPTD,
    "REJECTED": ReceiptState.REJECTD,
    "REJECT": ReceiptState.REJECTD,
    "UNKNOWN": ReceiptState.UNKNOWN,
}
_KNOWN = {state.value: state for state in ReceiptState} | _ALIASES
_TIMES = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}


@dataclass(frozen=True)
class Delivered:
    """A `deliver_sm` as it came. `text` is `short_message`; `tlvs` the first value of each tag."""

    source: str
    source_ton: int
    destination: str
    esm_class: int
    data_coding: int
    text: bytes
    tlvs: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def payload(self) -> bytes:
        """The text, wherever it was put."""
        return self.text or self.tlvs.get(MESSAGE_PAYLOAD, b"")


def is_receipt(came: Delivered) -> bool:
    """By its class; some carriers forget it, and are known by the whole form of appendix B.

    A person can write such a text, too: whoever matches receipts compares the phone.
    """
    if came.esm_class & _TYPE in _RECEIPT_TYPES or RECEIPTED_MESSAGE_ID in came.tlvs:
        return True
    return came.esm_class & _TYPE == 0 and _LIKE_A_RECEIPT.match(_plain(came)) is not None


def read_receipt(came: Delivered, gateway: int, id_form: IdForm, clock: dt.timedelta) -> Receipt:
    """Whatever can be read of it. `clock`: of its times, from UTC."""
    text = _plain(came)
    fields = receipt_fields(text)
    state = _state(fields.get("stat", ""), came.tlvs.get(MESSAGE_STATE, b""))
    return Receipt(
        gateway=gateway,
        smsc_id=_receipt_id(fields.get("id", ""), came.tlvs.get(RECEIPTED_MESSAGE_ID, b""), id_form),
        phone=phone_of(came.source, came.source_ton),
        state=state,
        error=_error(fields, came.tlvs.get(NETWORK_ERROR_CODE, b""), state),
        done_at=_moment(fields.get("done date", ""), clock),
        reference=_number(came.tlvs.get(USER_MESSAGE_REFERENCE, b"")),
        text=_without_words(text)[:MAX_TEXT],
    )


def _without_words(text: str) -> str:
    """Up to where the customer's own begin: rows keep the carrier's, and a code is nobody's to keep."""
    words = _WORDS.search(text)
    return text[: words.end()] if words else text


def receipt_fields(text: str) -> dict[str, str]:
    """The fields of a receipt's text, by lower-case name. `text:` holds the customer's words, which may look like
    fields: those in front of it are believed first, then the last of those behind it."""
    found = list(_FIELD.finditer(text))
    starts = [following.start() for following in found[1:]] + [len(text)]
    pairs = [(each[1].lower(), text[each.end() : end].strip()) for each, end in zip(found, starts, strict=False)]
    words = next((at for at, (name, _) in enumerate(pairs) if name == "text"), len(pairs))
    fields: dict[str, str] = {}
    for name, value in pairs[:words]:
        fields.setdefault(name, value)
    for name, value in reversed(pairs[words:]):
        fields.setdefault(name, value)
    return fields


def _plain(came: Delivered) -> str:
    octets = came.payload
    if came.data_coding == 8:
        return octets.decode("utf-16-be", "replace").replace("\0", "")
    return octets.decode("latin-1").replace("\0", "")


def submitted_id(written: str, form: IdForm) -> str:
    """The id of a `submit_sm_resp` as its receipts will write it. An id that is no number stays as it is."""
    bare = written.strip()[:MAX_ID]
    if form is IdForm.AS_IS:
        return _same(bare)
    try:
        if form is IdForm.HEX_TO_DECIMAL:
            return str(_int(bare, 16))
        if form is IdForm.DECIMAL_TO_HEX:
            return f"{_int(bare, 10):x}"
    except ValueError:
        pass
    return bare


def _same(written: str) -> str:
    """Hexadecimal digits are a number: some carriers write it with zeros in front, or in another case, in the receipt
    (appendix B has ten digits there)."""
    return written.lstrip("0").lower() or written[:1] if re.fullmatch(r"[0-9A-Fa-f]+", written) else written


def _int(text: str, base: int) -> int:
    if not text.isascii() or not text.isalnum():
        raise ValueError(text)
    return int(text, base)


def _receipt_id(in_text: str, in_tlv: bytes, form: IdForm) -> str:
    """The parameter repeats the id of the answer; the text is where carriers write it in another base."""
    tlv = in_tlv.split(b"\0")[0].decode("latin-1").strip()[:MAX_ID]
    bare = in_text.split()[0][:MAX_ID] if in_text else ""
    if form is IdForm.AS_IS:
        return _same(tlv or bare)
    if not bare:
        return submitted_id(tlv, form)
    try:
        return str(_int(bare, 10)) if form is IdForm.HEX_TO_DECIMAL else f"{_int(bare, 16):x}"
    except ValueError:
        return bare


def _state(written: str, tlv: bytes) -> str:
    """A `ReceiptState`, else the carrier's own word, which some write in place of it (`MK:0001`)."""
    word = written.split()[0].upper()[:MAX_STATE] if written else ""
    if known := _KNOWN.get(word):
        return known.value
    if coded := _STATES.get(tlv[0] if tlv else 0):
        return coded.value
    return word or ReceiptState.UNKNOWN.value


def _error(fields: Mapping[str, str], tlv: bytes, state: str) -> str:
    written = fields.get("err", "").split()
    error = written[0][:MAX_ERROR] if written else ""
    own = fields.get("stat", "").split()[:1]
    if error.strip("0") and error:
        return f"err:{error}" if error.isdigit() else error
    if own and own[0].upper() not in _KNOWN and own[0].upper() != state:
        return own[0][:MAX_ERROR]
    code = int.from_bytes(tlv[1:3], "big") if len(tlv) == 3 else 0
    return f"err:{code:03d}" if code and state != ReceiptState.DELIVRD else ""


def _moment(written: str, clock: dt.timedelta) -> dt.datetime | None:
    digits = written.split()[0] if written else ""
    if not (digits.isascii() and digits.isdigit()) or len(digits) not in _TIMES:
        return None
    try:
        return dt.datetime.strptime(digits, _TIMES[len(digits)]).replace(tzinfo=dt.timezone(clock)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def _number(octets: bytes) -> int | None:
    return int.from_bytes(octets, "big") if len(octets) in (1, 2) else None


def phone_of(written: str, ton: int) -> str:
    """E.164 where it can be read: an international type of number (1), `00`, `86…`, or a Chinese mobile number."""
    bare = re.sub(r"[\s().-]", "", written)[:MAX_PHONE]
    digits = bare.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return written.replace("\0", "").strip()[:MAX_PHONE]
    if bare.startswith("+"):
        return bare
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    if re.fullmatch(r"1[3-9]\d{9}", digits) and ton in (0, 2):
        return f"+86{digits}"
    return f"+{digits}" if ton == 1 or re.fullmatch(r"861[3-9]\d{9}", digits) else digits


@dataclass(frozen=True)
class Segment:
    """Where a part of a long text belongs; `number` is 1-based."""

    reference: int
    total: int
    number: int


def segment_of(came: Delivered) -> tuple[Segment | None, bytes]:
    """Where the part belongs (user data header or `sar` parameters; None: it is whole), and its text alone."""
    header, body = _header(came)
    for size, element in ((3, 0x00), (4, 0x08)):
        octets = header.get(element, b"")
        if len(octets) == size:
            made = _segment(int.from_bytes(octets[:-2], "big"), octets[-2], octets[-1])
            return made, body
    sar = [_number(came.tlvs.get(tag, b"")) for tag in (SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER)]
    reference, total, number = sar
    if reference is None or total is None or number is None:
        return None, body
    return _segment(reference, total, number), body


def _segment(reference: int, total: int, number: int) -> Segment | None:
    return Segment(reference, total, number) if 1 <= number <= total and 1 < total <= MOST_PARTS else None


def _header(came: Delivered) -> tuple[dict[int, bytes], bytes]:
    """The elements of a user data header (3GPP 23.040 §9.2.3.24); a header that does not fit is text."""
    octets = came.payload
    if not came.esm_class & HAS_HEADER or not octets or octets[0] >= len(octets):
        return {}, octets
    end, at, elements = octets[0] + 1, 1, {}
    while at + 2 <= end:
        size = octets[at + 1]
        elements[octets[at]] = octets[at + 2 : min(at + 2 + size, end)]
        at += 2 + size
    return elements, octets[end:]


def read_text(octets: bytes, data_coding: int, *, is_part: bool = False) -> str:
    """What a handset wrote (SMPP 3.4 §5.2.19, 3GPP 23.038 §4). Never fails: what cannot be read is shown as �.

    Half an emoji at the end of a part is kept (`domain.sms_text.halves_joined`).
    """
    if data_coding & 0xEC == 0x08 or data_coding & 0xFC == 0x18:
        text = halves_kept(octets) if is_part else octets.decode("utf-16-be", "replace")
    elif data_coding == 15:  # carriers of mainland China
        text = octets.decode("gb18030", "replace")
    elif data_coding in (1, 3):
        text = octets.decode("latin-1")
    else:
        text = _gsm(octets)
    return text.replace("\0", "").replace("\r\n", "\n")


def _gsm(octets: bytes) -> str:
    """GSM-7, an octet for each character; with the eighth bit set it is what the SMSC takes for its alphabet."""
    if max(octets, default=0) < 0x80:
        try:
            return str(smsutil.decode(octets))
        except UnicodeDecodeError:
            return octets.decode("latin-1")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")
