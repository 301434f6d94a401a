"""SMS that Songda itself sends: accepted like any other, under the system account."""

from domain.accounts import SYSTEM_ACCOUNT, Caller
from domain.channels import Channel
from domain.sms import SmsRecipient, SmsRequest
from domain.sms_notices import SYSTEM_SMS_USER, SmsNotice, sms_invoke_name
from store.accepting import ping_relay
from store.columns import now
from store.db import Database
from store.sms_accepting import accept


async def send_sms_notice(
    db: Database, notice: SmsNotice, phone: str, language: str, variables: dict[str, str], key: str
) -> None:
    """Accept one SMS for delivery; durable on return.

    `key` makes repeats harmless. Raises `Refusal`: `sms_too_often_…` when this number got too many of late, others when
    the platform can send nothing there.
    """
    request = SmsRequest(
        sms_user=SYSTEM_SMS_USER,
        template=sms_invoke_name(notice, language),
        recipients=(SmsRecipient(phone, variables, 1),),
        label=notice.value,
        idempotency_key=key,
    )
    async with db.raw() as connection:
        await accept(connection, Caller(SYSTEM_ACCOUNT), request, now())
    await ping_relay(db, Channel.SMS)
