"""What a password may be. Hashing is `services.passwords`."""

import unicodedata

from domain.errors import Refusal

SHORTEST = 10
LONGEST = 128
"""Characters; more would only make the hash slow."""
LONGEST_TYPED = 1000
"""Characters as typed: more is not even brought into its normal form, which takes time with the whole process."""

_PLAIN_WORDS = ("password", "passw0rd", "qwertyuiop", "asdfghjkl", "letmein", "welcome", "iloveyou", "woaini", "admin",
                "songda", "sendcloud", "changeme", "mima", "zhongguo")  # fmt: skip
_ROWS = ("01234567890123456789", "98765432109876543210", "qwertyuiopasdfghjklzxcvbnm", "abcdefghijklmnopqrstuvwxyz",
         "1qaz2wsx3edc4rfv5tgb", "1q2w3e4r5t6y7u8i9o0p", "qazwsxedcrfvtgbyhnujm")  # fmt: skip


def normal_form(password: str) -> str:
    """NFKC, so that the same characters typed on another keyboard are the same password (NIST SP 800-63B §5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, email: str, field: str = "password") -> None:
    """Raise a `Refusal` on `field`: too short, too long, the address itself, or among the first guesses."""
    if not password:
        raise Refusal("required", field=field)
    if len(password) > LONGEST_TYPED:
        raise Refusal("password_too_long", field=field, longest=LONGEST)
    known = normal_form(password).casefold()
    if len(known) < SHORTEST:
        raise Refusal("password_too_short", field=field, shortest=SHORTEST)
    if len(known) > LONGEST:
        raise Refusal("password_too_long", field=field, longest=LONGEST)
    if known in (email.casefold(), email.casefold().rpartition("@")[0]):
        raise Refusal("password_is_address", field=field)
    if _guessed_first(known):
        raise Refusal("password_common", field=field)


def _guessed_first(known: str) -> bool:
    """One or two characters over and over, a row of keys, or a usual word with digits and signs around it."""
    letters = "".join(character for character in known if character.isalpha())
    return len(set(known)) <= 2 or letters in _PLAIN_WORDS or any(known in row for row in _ROWS)
