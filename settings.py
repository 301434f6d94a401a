"""Every value an operator can set, read once by a composition root (`worker.py`, `api/app.py`, `stack.py`, `cli.py`).

Names in the environment: `DATABASE_URL`, `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, and `SONGDA_<FIELD>` for the rest.
"""

from ipaddress import ip_network

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.addresses import BadAddress, normalise_address
from domain.billing import AlipayApp
from domain.destinations import USUAL, Treatment, checked_login, read_smart_hosts
from domain.errors import Refusal
from domain.networks import Reach
from domain.phone_codes import PhoneRule
from domain.policy import Policy
from domain.transport import Login, Tls
from domain.working_hours import read_hours


class Settings(BaseSettings):
    """Frozen; durations are seconds, and those marked *scaled* are divided by `time_scale`."""

    model_config = SettingsConfigDict(env_prefix="SONGDA_", frozen=True, extra="ignore", populate_by_name=True)

    database_url: str = Field(
        "postgresql://songda@127.0.0.1:5432/songda",
        validation_alias=AliasChoices("DATABASE_URL", "SONGDA_DATABASE_URL"),
    )
    temporal_address: str = Field(
        "127.0.0.1:7233", validation_alias=AliasChoices("TEMPORAL_ADDRESS", "SONGDA_TEMPORAL_ADDRESS")
    )
    temporal_namespace: str = Field(
        "default", validation_alias=AliasChoices("TEMPORAL_NAMESPACE", "SONGDA_TEMPORAL_NAMESPACE")
    )
    temporal_ui_url: str = "http://127.0.0.1:8233"

    secret_key: SecretStr = Field(min_length=32)
    """The master secret: keys for stored secrets, tokens and HMACs are derived from it."""
    public_url: str = "http://127.0.0.1:8600"
    """Where browsers and mail links reach the API and pages; without a trailing slash."""
    tracking_url: str = ""
    """Where the links that we put into customers' mails lead (`/t/…`), if not to `public_url` (empty)."""
    secure_cookies: bool = False
    """True behind HTTPS: session cookies get the `Secure` attribute and the `__Host-` prefix."""

    trusted_proxies: list[str] = ["127.0.0.1", "::1"]
    """Addresses and networks (CIDR) whose `X-Forwarded-For` says who the visitor is: our own proxies, nobody else."""

    platform_name: str = "Songda 送达"
    platform_domain: str = "mail.songda.example"
    """Sends the platform's own mails, and is the parent of every account's test domain."""
    bounce_host: str = "bounce.songda.example"
    """MX target that customers publish for their sender domains, and the SPF include beside it."""
    spf_include: str = "spf.songda.example"
    tracking_host: str = "track.songda.example"
    support_email: str = "support@songda.example"

    lead_email: str = ""
    """Who is told of reviews past their time and of an unpublished calendar; empty: `support_email`."""

    working_hours: str = "09:00-12:00,13:30-18:00"
    """Of reviewers, Asia/Shanghai; days by the published calendar and the console's own."""
    template_review_minutes: int = Field(240, gt=0)
    """Working minutes within which an e-mail template is reviewed."""
    certification_review_minutes: int | None = Field(None, gt=0)
    """Working minutes within which a certification is reviewed; None: one day of `working_hours`."""
    sms_review_minutes: int = Field(60, gt=0)
    """Working minutes within which an SMS template or signature is reviewed (seed 3.4)."""

    documents_url: str = "file:///var/lib/songda/documents"
    """Where papers are kept, sealed: `file://` folder or `s3://bucket/prefix`; never below a web root."""

    list_import_max_mb: int = Field(256, gt=0)
    """Megabytes of a file that is read into an address list."""
    list_import_max_lines: int = Field(5_000_000, gt=0)

    email_price_micro: int = Field(4_500, ge=0)
    """Micro-yuan per mail outside the free quota, until the console sets a price."""
    sms_price_micro: int = Field(45_000, ge=0)
    """Micro-yuan per segment of an SMS to mainland China, until the console sets a price; other countries need one."""
    sms_marketing_hours: str = "08:00-20:00"
    """When marketing SMS may go out, Asia/Shanghai; what is accepted outside waits for the next open minute."""
    sms_tests_per_day: int = Field(10, ge=0)
    """Free test SMS of an account and day."""
    registration_phone: PhoneRule = PhoneRule.OPTIONAL
    """`off`, `optional` or `required`: whether people prove a mobile number by a code, beside the link of the mail.
    `optional` is offered as soon as there is a carrier; `required` keeps the link from working before."""
    registration_work: int = Field(200_000, ge=256, le=50_000_000)
    """Hashes that a browser computes, on average, before an SMS with a code is sent (about a second on a phone)."""
    paid_daily_quota: int = Field(10_000, ge=0)
    """Messages a day of a paying customer, until an operator grants another number (seed 2.3)."""
    recharge_min_fen: int = Field(1_000, gt=0)
    recharge_max_fen: int = Field(10_000_000, gt=0)
    alipay_app_id: str = ""
    """Empty: online recharge is not offered."""
    alipay_seller_id: str = ""
    alipay_gateway_url: str = "https://openapi.alipay.com/gateway.do"
    alipay_private_key: SecretStr = SecretStr("")
    """Our application's RSA key, PEM."""
    alipay_public_key: str = ""
    """Alipay's RSA key, PEM: what signs its notifications and answers."""

    free_daily_quota: int = Field(200, ge=0)
    """Messages a day of a free account that has completed its profile (seed 2.3: at most 200)."""
    time_scale: float = Field(1.0, gt=0)
    """Divides retry, polling and reminder intervals; 1 in production, larger in the sandbox."""
    dns_nameservers: list[str] = []
    """`host:port` of the resolvers to ask; empty means the system's."""
    smtp_port: int = 25
    """The port on which receiving mail servers are reached."""
    ehlo_name: str = "out1.songda.example"
    smtp_timeout: float = 60.0
    """Longest wait for one SMTP reply, in seconds."""
    egress_host: str = ""
    """This machine's name among the egress addresses of the console; empty: the system's own."""
    delivery_allowed_networks: list[str] = []
    """CIDRs of private networks where mail servers may be: whoever owns a domain could name ours as its MX."""
    smart_host: str = ""
    """`host:port`, several between commas: takes all mail that no rule of the console is about. Empty: by MX."""
    smart_host_user: str = ""
    smart_host_password: SecretStr = SecretStr("")
    smart_host_tls: Tls = Tls.REQUIRED
    """`none`, `opportunistic`, `required`, `verified`; a password is sent with the last two only."""
    smtp_tls_certificate: str = ""
    """PEM file with the certificate chain of our own SMTP doors; empty: they offer no STARTTLS."""
    smtp_tls_key: str = ""
    """PEM file with its private key."""
    smtp_connections: int = Field(500, ge=1)
    """Connections that one process of an SMTP door serves at once; each holds up to 130 KB."""
    smtp_connections_per_address: int = Field(50, ge=1)
    """Of them, of one IPv4 address or IPv6 /64."""
    submission_host_name: str = "smtp.songda.example"
    """Where customers' programs reach SMTP submission; the door's name in its greeting and in the portal."""
    submission_port: int = Field(587, ge=1, le=65_535)
    """The port that the portal names."""
    calls_per_minute: int = Field(20_000, ge=200)
    """Sends that one API user may ask for, by HTTP and SMTP together (SendCloud's `536 Frequency limited`)."""
    submission_plain_login: bool = False
    """Take passwords on connections without TLS: for a loopback or a trusted network only."""
    sender_slots: int = Field(80, ge=1, le=500)
    """Connections that one worker process may have open at once."""
    slots_per_destination: int = Field(16, ge=1)
    sms_slots: int = Field(64, ge=2, le=500)
    """SMS that one worker process may speak of to carriers at once."""
    webhook_allowed_networks: list[str] = []
    """CIDRs of private networks that webhooks may reach; empty refuses every private address."""
    metrics_port: int | None = None
    log_level: str = "info"

    @field_validator("working_hours", "sms_marketing_hours")
    @classmethod
    def _readable(cls, hours: str) -> str:
        read_hours(hours)
        return hours

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: list[str]) -> list[str]:
        """What uvicorn does not understand it would take for a name, and trust nobody."""
        for proxy in proxies:
            ip_network(proxy)
        return proxies

    @field_validator("lead_email")
    @classmethod
    def _reachable(cls, address: str) -> str:
        """What is not an address would be found out when a review is late, by nobody."""
        try:
            return address and normalise_address(address)
        except BadAddress as problem:
            raise ValueError(problem.reason) from None

    @field_validator("delivery_allowed_networks")
    @classmethod
    def _delivery_networks(cls, networks: list[str]) -> list[str]:
        Reach(networks)
        return networks

    @model_validator(mode="after")
    def _smart_host_is_whole(self) -> "Settings":
        try:
            self.treatment()
        except Refusal as problem:
            raise ValueError(f"smart_host: {problem.code}") from None
        return self

    def treatment(self) -> Treatment:
        """How destinations are reached that no rule of the console is about."""
        hosts = read_smart_hosts(self.smart_host)
        if not hosts:
            return USUAL
        password = self.smart_host_password.get_secret_value()
        checked_login(self.smart_host_tls, hosts, self.smart_host_user, password)
        login = Login(self.smart_host_user, password) if self.smart_host_user else None
        return Treatment(self.smart_host_tls, hosts, login)

    @model_validator(mode="after")
    def _alipay_is_whole(self) -> "Settings":
        needed = (self.alipay_seller_id, self.alipay_private_key.get_secret_value(), self.alipay_public_key)
        if self.alipay_app_id and not all(needed):
            raise ValueError("alipay_app_id needs alipay_seller_id, alipay_private_key and alipay_public_key beside it")
        return self

    def alipay(self) -> AlipayApp | None:
        """Our application at Alipay; None when online recharge is not offered."""
        if not self.alipay_app_id:
            return None
        private = self.alipay_private_key.get_secret_value()
        return AlipayApp(
            self.alipay_app_id, self.alipay_seller_id, self.alipay_gateway_url, private, self.alipay_public_key
        )

    def policy(self) -> Policy:
        """What rules and services need of these settings."""
        return Policy(
            public_url=self.public_url.rstrip("/"),
            tracking_url=self.tracking_url.rstrip("/"),
            platform_name=self.platform_name,
            platform_domain=self.platform_domain,
            bounce_host=self.bounce_host,
            spf_include=self.spf_include,
            tracking_host=self.tracking_host,
            support_email=self.support_email,
            temporal_ui_url=self.temporal_ui_url.rstrip("/"),
            temporal_namespace=self.temporal_namespace,
            lead_email=self.lead_email or self.support_email,
            working_hours=self.working_hours,
            template_review_minutes=self.template_review_minutes,
            certification_review_minutes=self.certification_review_minutes,
            sms_review_minutes=self.sms_review_minutes,
            list_import_max_mb=self.list_import_max_mb,
            email_price_micro=self.email_price_micro,
            sms_price_micro=self.sms_price_micro,
            sms_marketing_hours=self.sms_marketing_hours,
            sms_tests_per_day=self.sms_tests_per_day,
            registration_phone=self.registration_phone,
            registration_work=self.registration_work,
            paid_daily_quota=self.paid_daily_quota,
            calls_per_minute=self.calls_per_minute,
            submission_host=self.submission_host_name,
            submission_port=self.submission_port,
            submission_tls=bool(self.smtp_tls_certificate),
            recharge_min_fen=self.recharge_min_fen,
            recharge_max_fen=self.recharge_max_fen,
            free_daily_quota=self.free_daily_quota,
            time_scale=self.time_scale,
            secure_cookies=self.secure_cookies,
        )
