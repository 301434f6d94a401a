"""Composition root of the worker's SMS: carriers, what they tell, and how pages of SMS are sent."""

from dataclasses import dataclass

from activities.lanes import Lanes
from activities.sms_delivery import SmsChannel, SmsWire
from activities.sms_gateways import SmsGatewayRows
from activities.sms_routes import SmsRoutes
from domain.sms_hours import next_open
from domain.sms_transport import Hears
from gateways.smpp import SmppCarriers
from services.foundation import Foundation
from services.sms_receipts import SmsReceipts
from services.sms_replies import SmsReplies
from settings import Settings

SETTLES_IN = 5.0
"""Seconds in which the binds of a process that begins are up, commonly; until then no try is spent."""


@dataclass(frozen=True)
class SmsTools:
    """How this process sends SMS, and takes what carriers tell."""

    settings: Settings
    base: Foundation
    carriers: SmppCarriers
    routes: SmsRoutes
    receipts: SmsReceipts

    def channel(self, lanes: Lanes) -> SmsChannel:
        """How pages of SMS are sent."""
        hours = self.base.policy.sms_marketing_hours
        wire = SmsWire(
            *(self.carriers, self.routes, lanes, self.settings.sms_slots, self.settings.time_scale),
            lambda kind, now: next_open(kind, now, hours),
        )
        return SmsChannel(self.base.db, wire)


def sms_tools(settings: Settings, base: Foundation, process: str) -> SmsTools:
    """What carriers tell is durable before they are answered. `process`: a name that no other process has."""
    receipts = SmsReceipts(base.db, settings.time_scale)
    hears = Hears(receipt=receipts.take, reply=SmsReplies(base).take)
    carriers = SmppCarriers(SmsGatewayRows(base.db, base.vault, process), hears, time_scale=settings.time_scale)
    return SmsTools(settings, base, carriers, SmsRoutes(base.db, SETTLES_IN), receipts)
