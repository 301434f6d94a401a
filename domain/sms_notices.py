"""SMS that Songda itself sends, as the platform's own customer, and their texts (design §2)."""

from dataclasses import dataclass
from enum import StrEnum

from domain.sms import Market, SmsKind

SYSTEM_SMS_USER = "songda_system_sms"
QUICK_TEST = {Market.DOMESTIC: "quick-test-zh", Market.INTERNATIONAL: "quick-test-en"}
"""The names of the templates of the portal's quick test send."""
CODE_TEMPLATE = "sendCode"
"""What templates of SendCloud's `sendCode` are called, each with its signature's number behind it."""


class SmsNotice(StrEnum):
    REGISTRATION_CODE = "registration-code"


@dataclass(frozen=True)
class SmsText:
    """A template of the platform: its text without the signature."""

    name: str
    kind: SmsKind
    market: Market
    content: str


def sms_invoke_name(notice: SmsNotice, language: str) -> str:
    """The name of the template in `zh` (mainland China) or `en` (everywhere else)."""
    return f"{notice.value}-{language}"


TEXTS: tuple[SmsText, ...] = (
    SmsText(
        sms_invoke_name(SmsNotice.REGISTRATION_CODE, "zh"), SmsKind.CODE, Market.DOMESTIC,
        "您的注册验证码为%code%，%minutes%分钟内有效，请勿告诉他人。",
    ),
    SmsText(
        sms_invoke_name(SmsNotice.REGISTRATION_CODE, "en"), SmsKind.CODE, Market.INTERNATIONAL,
        "Your code is %code%, valid for %minutes% minutes. Tell nobody.",
    ),
    SmsText(
        QUICK_TEST[Market.DOMESTIC], SmsKind.NOTICE, Market.DOMESTIC,
        "这是一条测试短信，收到即表示发送成功。如非本人操作，请忽略。",
    ),
    SmsText(
        QUICK_TEST[Market.INTERNATIONAL], SmsKind.NOTICE, Market.INTERNATIONAL,
        "This is a test message: it works. If you did not ask for it, ignore it.",
    ),
)  # fmt: skip
CODE_CONTENT = {
    Market.DOMESTIC: "您的验证码是%code%，请勿告诉他人。",
    Market.INTERNATIONAL: "Your code is %code%. Tell nobody.",
}
"""What `sendCode` sends, for it names no template (reference §7.3)."""


def signature_of(platform: str, market: Market) -> str:
    """The platform's signature: its name without blanks and signs, at most 16 characters; abroad in Latin letters."""
    foreign = market is Market.INTERNATIONAL
    letters = "".join(sign for sign in platform if sign.isalnum() and (sign.isascii() or not foreign))[:16]
    return letters if len(letters) > 1 and not letters.isnumeric() else "Songda"
