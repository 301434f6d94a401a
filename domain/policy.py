"""The settings that rules and services need, as a value; composition roots make it from `Settings`."""

import datetime as dt
from dataclasses import dataclass

from domain.ids import Kind
from domain.phone_codes import PhoneRule
from domain.working_hours import day_length


@dataclass(frozen=True)
class Policy:
    """`time_scale` divides retry, polling and reminder intervals: use `scaled`."""

    public_url: str
    platform_name: str
    platform_domain: str
    bounce_host: str
    spf_include: str
    tracking_host: str
    support_email: str
    temporal_ui_url: str
    tracking_url: str = ""
    """What the links in customers' mails begin with, without a trailing slash; `public_url` unless given."""
    temporal_namespace: str = "default"
    lead_email: str = "support@songda.example"
    working_hours: str = "09:00-12:00,13:30-18:00"
    template_review_minutes: int = 240
    certification_review_minutes: int | None = None
    """None: one working day, as long as `working_hours` make it."""
    sms_review_minutes: int = 60
    list_import_max_mb: int = 256
    email_price_micro: int = 4_500
    sms_price_micro: int = 45_000
    sms_marketing_hours: str = "08:00-20:00"
    sms_tests_per_day: int = 10
    registration_phone: PhoneRule = PhoneRule.OPTIONAL
    registration_work: int = 200_000
    """Hashes expected of a browser before it gets a code by SMS."""
    paid_daily_quota: int = 10_000
    recharge_min_fen: int = 1_000
    recharge_max_fen: int = 10_000_000
    free_daily_quota: int = 200
    calls_per_minute: int = 20_000
    submission_host: str = "smtp.songda.example"
    submission_port: int = 587
    submission_tls: bool = False
    """Whether SMTP submission offers STARTTLS."""
    time_scale: float = 1.0
    secure_cookies: bool = False

    def __post_init__(self) -> None:
        if not self.tracking_url:
            object.__setattr__(self, "tracking_url", self.public_url)  # frozen for everybody else

    def review_allowance(self, kind: Kind) -> dt.timedelta:
        """Working time within which a review of this kind is promised. Raises `KeyError` for other processes."""
        minutes = {
            Kind.TEMPLATE_REVIEW: self.template_review_minutes,
            Kind.CERTIFICATION_REVIEW: self.certification_review_minutes,
            Kind.SMS_TEMPLATE_REVIEW: self.sms_review_minutes,
            Kind.SMS_SIGNATURE_REVIEW: self.sms_review_minutes,
        }[kind]
        return day_length(self.working_hours) if minutes is None else dt.timedelta(minutes=minutes)

    def scaled(self, interval: dt.timedelta) -> dt.timedelta:
        """An interval of production, as it is here."""
        return interval / self.time_scale
