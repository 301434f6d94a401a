"""The settings that rules and services need, as a value; composition roots make it from `Settings`."""

import datetime as dt
from dataclasses import dataclass


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
    free_daily_quota: int = 200
    time_scale: float = 1.0
    secure_cookies: bool = False

    def scaled(self, interval: dt.timedelta) -> dt.timedelta:
        """An interval of production, as it is here."""
        return interval / self.time_scale
