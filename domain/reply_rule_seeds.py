"""The classifier's table as it ships: every row of reference §1.6, the bulk senders' rules of §1.4, and a general base
by RFC 3463, 5321, 7372, 7504, 7505 and IANA's registry of enhanced codes.

Each row has an example, written by us in the manner of its servers, that this row and no other decides; a test holds
the whole table against all of them. What the reference asks to be confirmed in operation says so in its note.
"""

from dataclasses import dataclass
from functools import cache

from domain.reply_rules import Pattern, ReplyRules, Rule, Verdict
from domain.sending import Outcome, OutcomeKind, Reason, Scope

_D, _B = OutcomeKind.DEFERRED, OutcomeKind.BOUNCED
_NO_MAILBOX = Verdict(Reason.INVALID_MAILBOX, _B, Scope.RECIPIENT)
_NO_DOMAIN = Verdict(Reason.BAD_DOMAIN, _B, Scope.RECIPIENT)
_DISABLED = Verdict(Reason.DISABLED, _B, Scope.RECIPIENT)
_SYNTAX = Verdict(Reason.SYNTAX, _B, Scope.RECIPIENT)
_NO_UTF8 = Verdict(Reason.SMTPUTF8, _B, Scope.RECIPIENT)
_FULL_NOW = Verdict(Reason.FULL, _D, Scope.RECIPIENT)
_FULL = Verdict(Reason.FULL, _B, Scope.RECIPIENT)
_GREY = Verdict(Reason.GREYLIST, _D, Scope.RECIPIENT)
_FAST_ADDRESS = Verdict(Reason.RATE_LIMITED, _D, Scope.ADDRESS)
_FAST_CONNECTION = Verdict(Reason.RATE_LIMITED, _D, Scope.CONNECTION)
_FAST_SENDER = Verdict(Reason.RATE_LIMITED, _D, Scope.SENDER)
_FAST_RECIPIENT = Verdict(Reason.RATE_LIMITED, _D, Scope.RECIPIENT)
_NOT_NOW = Verdict(Reason.CONN, _D, Scope.CONNECTION)
_NOT_NOW_RECIPIENT = Verdict(Reason.CONN, _D, Scope.RECIPIENT)
_AUTH = Verdict(Reason.AUTH, _B, Scope.SENDER)
_AUTH_NOW = Verdict(Reason.AUTH, _D, Scope.SENDER)
_CONTENT = Verdict(Reason.CONTENT, _B, Scope.CONTENT)
_CONTENT_NOW = Verdict(Reason.CONTENT, _D, Scope.CONTENT)
_IP = Verdict(Reason.IP, _B, Scope.ADDRESS)
_IP_NOW = Verdict(Reason.IP, _D, Scope.ADDRESS)
_DOMAIN = Verdict(Reason.DOMAIN, _B, Scope.SENDER)
_REFUSED = Verdict(Reason.REFUSED, _B, Scope.RECIPIENT)
_OTHER = Verdict(Reason.OTHER, _B, Scope.RECIPIENT)
_OTHER_CONTENT = Verdict(Reason.OTHER, _B, Scope.CONTENT)

_UNSURE = "to be confirmed in operation"


@dataclass(frozen=True)
class Seed:
    """One row: `key` never changes, so that an upgrade knows it again. `example` is a whole reply of a `host`."""

    key: str
    provider: str
    enhanced: str
    code: str
    text: str
    verdict: Verdict
    host: str
    example: str
    source: str = ""

    @property
    def pattern(self) -> Pattern:
        return Pattern(self.provider, self.enhanced, self.code, self.text)


_QQ, _NE, _SINA = "mxbiz1.qq.com", "163mx01.mxmail.netease.com", "freemx.sinamail.sina.com.cn"
_GOOGLE, _MS, _YAHOO = "gmail-smtp-in.l.google.com", "outlook-com.olc.protection.outlook.com", "mta5.am0.yahoodns.net"
_ANY = "mx.company.example"

_TENCENT = (
    Seed("qq.rate.ip", "qq", "", "5xx", "ip frequency limited", _FAST_ADDRESS, _QQ, "550 Ip frequency limited"),
    Seed("qq.rate.domain", "qq", "", "5xx", "domain frequency limited", _FAST_SENDER, _QQ,
         "550 Domain frequency limited"),
    Seed("qq.rate.sender", "qq", "", "5xx", "sender frequency limited", _FAST_SENDER, _QQ,
         "550 Sender frequency limited"),
    Seed("qq.rate.connection", "qq", "", "5xx", "connection frequency limited", _FAST_CONNECTION, _QQ,
         "550 Connection frequency limited"),
    Seed("qq.flood", "qq", "", "5xx", "mailbox unavailable or access denied", _FAST_RECIPIENT, _QQ,
         "550 Mailbox unavailable or access denied", "guard against floods, not an invalid address"),
    Seed("qq.no_mailbox", "qq", "", "5xx", "mailbox not found|用户不存在|未开通", _NO_MAILBOX, _QQ,
         "550 该邮箱未开通QQ邮箱"),
    Seed("qq.recipient", "qq", "", "5xx", "rejected by recipient|rejected by recipients", _REFUSED, _QQ,
         "550 Mail is rejected by recipients", _UNSURE),
    Seed("qq.bounce_attack", "qq", "", "5xx", "suspected bounce attack*|suspected spam ip", _IP, _QQ,
         "550 suspected bounce attacks", _UNSURE),
    Seed("qq.content", "qq", "", "5xx", "content rejected|content denied|content is rejected|content is denied",
         _CONTENT, _QQ, "550 Mail content denied"),
    Seed("qq.syntax", "qq", "", "501", "bad address syntax", _SYNTAX, _QQ, "501 Bad address syntax"),
)  # fmt: skip

_NETEASE = (
    Seed("netease.hl_rep", "netease", "", "4xx|5xx", "hl:rep", _FAST_ADDRESS, _NE, "421 HL:REP 163 smtp7",
         "too many unknown recipients"),
    Seed("netease.hl_icc", "netease", "", "4xx|5xx", "hl:icc", _FAST_CONNECTION, _NE, "421 HL:ICC 163 smtp7",
         "too many connections"),
    Seed("netease.hl_ifc", "netease", "", "4xx|5xx", "hl:ifc", _FAST_ADDRESS, _NE, "421 HL:IFC 163 smtp7",
         "too many mails"),
    Seed("netease.hl_mep", "netease", "", "4xx|5xx", "hl:mep", _AUTH_NOW, _NE, "421 HL:MEP 163 smtp7",
         "forged sender domains"),
    Seed("netease.mi_dmc", "netease", "", "4xx", "mi:dmc", _FAST_CONNECTION, _NE, "451 MI:DMC 163 smtp7",
         "mails of one connection"),
    Seed("netease.rp_drc", "netease", "", "4xx", "rp:drc", _FAST_CONNECTION, _NE, "450 RP:DRC 163 smtp7",
         "recipients of one connection"),
    Seed("netease.mi_commands", "netease", "", "4xx", "mi:cel|mi:ccl", _FAST_CONNECTION, _NE, "450 MI:CEL 163 smtp7",
         "too many wrong commands"),
    Seed("netease.mi_sfq", "netease", "", "4xx", "mi:sfq", _FAST_SENDER, _NE, "451 MI:SFQ 163 smtp7",
         "the sender's quota of 15 minutes"),
    Seed("netease.spam_now", "netease", "", "4xx", "dt:spm", _CONTENT_NOW, _NE, "451 DT:SPM 163 smtp7",
         "like spam: again after two minutes at the earliest"),
    Seed("netease.spam", "netease", "", "5xx", "dt:spm", _CONTENT, _NE, "554 DT:SPM 163 smtp7"),
    Seed("netease.rbl", "netease", "", "4xx", "dt:rbl", _IP_NOW, _NE, "450 DT:RBL 163 smtp7"),
    Seed("netease.auth", "netease", "", "5xx", "mi:imf|mi:spf*", _AUTH, _NE, "550 MI:SPF 163 smtp7", _UNSURE),
    Seed("netease.no_mailbox", "netease", "", "5xx", "user not found", _NO_MAILBOX, _NE, "550 User not found: nobody"),
    Seed("netease.rp_rcl", "netease", "", "5xx", "rp:rcl", _REFUSED, _NE, "550 RP:RCL 163 smtp7",
         "for good, but nothing that proves the address dead; to be confirmed in operation"),
)  # fmt: skip

_SINA_MAIL = (
    Seed("sina.locked", "sina", "", "5xx", "user is locked", _DISABLED, _SINA, "550 user is locked"),
    Seed("sina.no_mailbox", "sina", "", "5xx", "mailbox unavailable", _NO_MAILBOX, _SINA, "550 mailbox unavailable"),
    Seed("sina.ip", "sina", "", "5xx", "black ip|rbl deny|remote ip check error", _IP, _SINA,
         "556 remote ip check error"),
    Seed("sina.host", "sina", "", "5xx", "host denie*", _AUTH, _SINA, "553 host denies your domain"),
    Seed("sina.content", "sina", "", "5xx", "anti-spam engine|too many same size mail*", _CONTENT, _SINA,
         "552 too many same size mails"),
    Seed("sina.busy", "sina", "", "4xx", "mailbox unavailable", _NOT_NOW_RECIPIENT, _SINA, "450 mailbox unavailable"),
    Seed("sina.queue", "sina", "", "4xx", "queue unavailable", _NOT_NOW, _SINA, "450 queue unavailable"),
    Seed("sina.rcpt", "sina", "", "4xx", "out of allow rcpt number*", _FAST_CONNECTION, _SINA,
         "451 out of allow RCPT numbers"),
)  # fmt: skip

_ABROAD = (
    Seed("gmail.rate", "gmail", "4.7.28|5.7.28", "", "", _FAST_ADDRESS, _GOOGLE, "421 4.7.28 Unusual rate of mail"),
    Seed("gmail.recipient_rate", "gmail", "4.2.1", "", "too quickly|at a rate", _FAST_RECIPIENT, _GOOGLE,
         "450 4.2.1 This inbox gets mail too quickly"),
    Seed("gmail.limited", "gmail", "4.7.0", "", "rate limited|unusual rate", _FAST_ADDRESS, _GOOGLE,
         "421 4.7.0 Your address is temporarily rate limited"),
    Seed("gmail.auth_now", "gmail", "4.7.26|4.7.27|4.7.30|4.7.32", "", "", _AUTH_NOW, _GOOGLE,
         "421 4.7.32 The From header is not aligned", "SPF, DKIM, DMARC"),
    Seed("gmail.auth", "gmail", "5.7.26|5.7.27|5.7.30|5.7.32", "", "", _AUTH, _GOOGLE,
         "550 5.7.30 This mail has no valid DKIM signature", "SPF, DKIM, DMARC"),
    Seed("gmail.ptr_now", "gmail", "4.7.23|4.7.25", "", "", _IP_NOW, _GOOGLE,
         "421 4.7.23 Your address has no PTR record"),
    Seed("gmail.ptr", "gmail", "5.7.23|5.7.25", "", "", _IP, _GOOGLE, "550 5.7.25 Your address has no PTR record"),
    Seed("gmail.no_mailbox", "gmail", "5.1.1", "", "", _NO_MAILBOX, _GOOGLE, "550 5.1.1 There is no such account"),
    Seed("gmail.full_now", "gmail", "4.2.2", "", "", _FULL_NOW, _GOOGLE, "452 4.2.2 The inbox is full"),
    Seed("outlook.auth", "microsoft", "5.7.515|5.7.509", "", "", _AUTH, _MS,
         "550 5.7.515 The sending domain does not meet the required level"),
    Seed("outlook.ip", "microsoft", "", "5xx", "s3140|s3150|banned sending ip", _IP, _MS,
         "550 5.7.1 Your network is on our block list (S3150)"),
    Seed("outlook.rate", "microsoft", "", "4xx", "rp-001|rp-002|rp-003", _FAST_ADDRESS, _MS,
         "421 RP-001 Too many connections from your address", _UNSURE),
    Seed("outlook.busy", "microsoft", "4.7.650|4.7.651|4.7.652", "", "", _FAST_ADDRESS, _MS,
         "451 4.7.650 Your address is limited for its reputation", _UNSURE),
    Seed("outlook.policy", "microsoft", "", "5xx", "ou-001|ou-002|sc-001|sc-002|sc-004", _IP, _MS,
         "550 SC-001 Mail from your address is refused", _UNSURE),
    Seed("outlook.no_mailbox", "microsoft", "5.5.0|5.4.1", "", "mailbox unavailable|recipient address rejected",
         _NO_MAILBOX, _MS, "550 5.5.0 Requested action not taken: mailbox unavailable"),
    Seed("yahoo.deferred", "yahoo", "", "4xx", "tss04|tss09", _FAST_ADDRESS, _YAHOO,
         "421 4.7.0 [TSS04] Mail from your address is deferred", _UNSURE),
    Seed("yahoo.blocked", "yahoo", "", "5xx", "bl21|bl23", _IP, _YAHOO, "553 5.7.1 [BL21] Your address is listed",
         _UNSURE),
    Seed("yahoo.auth", "yahoo", "5.7.9", "", "", _AUTH, _YAHOO, "554 5.7.9 The mail failed the policy of its domain",
         _UNSURE),
)  # fmt: skip

_WORDS_FIRST = (
    Seed("words.greylist", "", "", "4xx", "greylist*|grey-list*|grey list*|graylist*|gray-list*|gray list*|灰名单",
         _GREY, _ANY, "450 4.7.1 Greylisted, come back in five minutes"),
    Seed("words.flood", "", "", "5xx", "mailbox unavailable or access denied", _FAST_RECIPIENT, _ANY,
         "550 Mailbox unavailable or access denied", "QQ's words, passed on by another server"),
    Seed("coremail.fast", "", "", "4xx|5xx",
         "requested mail action not taken*too much|requested mail action not taken*too many", _FAST_ADDRESS, _ANY,
         "550 Requested mail action not taken: too much mail"),
    Seed("coremail.suspended", "", "", "5xx", "user suspended|user is suspended", _DISABLED, _ANY,
         "550 5.7.1 User suspended"),
    Seed("coremail.ip", "", "", "5xx", "invalid ip", _IP, _ANY, "550 5.7.1 Invalid IP"),
    Seed("words.blocklist_now", "", "", "4xx",
         "spamhaus|spamcop|barracudacentral|dnsbl|rbl|blocklist*|block list|blacklist*|black list", _IP_NOW, _ANY,
         "450 4.7.1 Client host listed by a DNSBL"),
    Seed("words.domain_listed", "", "", "5xx", "dbl|surbl|uribl|domain*blacklisted|domain*block list|domain*blocklist",
         _DOMAIN, _ANY, "554 5.7.1 Your sender domain is blacklisted"),
    Seed("words.blocklist", "", "", "5xx",
         "spamhaus|spamcop|barracudacentral|dnsbl|rbl|blocklist*|block list|blacklist*|black list|黑名单", _IP, _ANY,
         "554 5.7.1 Client host is on the block list zen.spamhaus.org"),
)  # fmt: skip

_ENHANCED = (
    Seed("code.1.1", "", "5.1.1", "", "", _NO_MAILBOX, _ANY, "550 5.1.1 Bad destination mailbox"),
    Seed("code.1.domain", "", "5.1.2|5.4.4", "", "", _NO_DOMAIN, _ANY, "550 5.1.2 Bad destination system"),
    Seed("code.1.3", "", "5.1.3", "", "", _SYNTAX, _ANY, "501 5.1.3 Bad destination syntax"),
    Seed("code.1.6", "", "5.1.6", "", "", _DISABLED, _ANY, "551 5.1.6 The mailbox has moved"),
    Seed("code.1.sender", "", "5.1.7|5.1.8", "", "", _AUTH, _ANY, "553 5.1.8 Bad sender's system address"),
    Seed("code.1.10", "", "5.1.10", "", "", _NO_DOMAIN, _ANY, "556 5.1.10 The recipient's domain has a null MX",
         "RFC 7505"),
    Seed("code.2.1", "", "5.2.1", "", "", _DISABLED, _ANY, "550 5.2.1 The mailbox takes no messages"),
    Seed("code.2.2_now", "", "4.2.2", "", "", _FULL_NOW, _ANY, "452 4.2.2 Over its quota, try again later"),
    Seed("code.2.2", "", "5.2.2", "", "", _FULL, _ANY, "552 5.2.2 Over its quota"),
    Seed("code.size", "", "5.2.3|5.3.4", "", "", _OTHER_CONTENT, _ANY, "552 5.3.4 The message is too large"),
    Seed("code.5.3", "", "4.5.3", "", "", _FAST_CONNECTION, _ANY, "452 4.5.3 Recipients are too many"),
    Seed("code.6.7", "", "5.6.7", "", "", _NO_UTF8, _ANY, "553 5.6.7 Addresses beyond ASCII are not taken", "RFC 6531"),
    Seed("code.7.owner", "", "5.7.17|5.7.18", "", "", _NO_MAILBOX, _ANY, "550 5.7.17 The mailbox has another owner now",
         "RFC 7293"),
    Seed("code.7.auth", "", "5.7.20|5.7.21|5.7.22|5.7.23|5.7.24|5.7.26|5.7.27", "", "", _AUTH, _ANY,
         "550 5.7.23 The check of the sender's domain failed", "RFC 7372, 7505"),
    Seed("code.7.auth_now", "", "4.7.20|4.7.21|4.7.22|4.7.23|4.7.24|4.7.26|4.7.27", "", "", _AUTH_NOW, _ANY,
         "451 4.7.24 The check of the sender's domain is not done", "RFC 7372"),
    Seed("code.7.ptr", "", "5.7.25", "", "", _IP, _ANY, "550 5.7.25 Reverse DNS failed", "RFC 7372"),
    Seed("code.7.flood", "", "4.7.28|5.7.28", "", "", _FAST_ADDRESS, _ANY, "550 5.7.28 Mail flood detected"),
)  # fmt: skip

_WORDS = (
    Seed("words.no_domain", "", "", "5xx",
         "host not found|domain not found|unknown domain|no such domain|domain does not exist|域名不存在",
         _NO_DOMAIN, _ANY, "550 Host not found"),
    Seed("words.no_mailbox", "", "", "5xx",
         "user unknown|unknown user|no such user|no such recipient|no such mailbox|does not exist|doesn't exist"
         "|user not found|recipient not found|mailbox not found|invalid mailbox|invalid recipient|unknown recipient"
         "|recipient unknown|no mailbox here|doesn't have a*account|not a valid mailbox|mailbox unavailable"
         "|用户不存在|邮箱不存在|收件人不存在|无此用户|账号不存在",
         _NO_MAILBOX, _ANY, "550 No such user here"),
    Seed("words.disabled", "", "", "5xx",
         "account*disabled|mailbox*disabled|user*disabled|account*suspended|mailbox*suspended|account*locked"
         "|mailbox*locked|user*locked|account*inactive|mailbox*inactive|user*inactive|已停用|已冻结|已禁用|被锁定",
         _DISABLED, _ANY, "550 This account has been disabled"),
    Seed("words.full_now", "", "", "4xx", "mailbox*full|inbox*full|over quota|quota exceeded|exceeded*quota|邮箱已满",
         _FULL_NOW, _ANY, "452 The user's mailbox is full"),
    Seed("words.full", "", "", "5xx",
         "mailbox*full|inbox*full|over quota|quota exceeded|exceeded*quota|exceeded storage|邮箱已满|空间不足",
         _FULL, _ANY, "552 The user's mailbox is full"),
    Seed("words.fast_connections", "", "", "4xx|5xx",
         "too many connections|too many concurrent|too many sessions|connection limit|connections*limit*"
         "|too many recipients|连接数过多",
         _FAST_CONNECTION, _ANY, "421 Too many connections from your host"),
    Seed("words.fast", "", "", "4xx|5xx",
         "rate limit*|ratelimit*|rate-limit*|throttl*|too many messages|too many mails|too much mail|too many emails"
         "|too many requests|sending too fast|too fast|frequency limit*|unusual rate|slow down"
         "|频率过高|频率限制|发送频率",
         _FAST_ADDRESS, _ANY, "451 4.7.1 Too many messages, slow down"),
    Seed("words.again", "", "", "4xx",
         "try again later|please try later|try later|retry later|temporarily deferred|temporarily rejected"
         "|come back later|请稍后重试|稍后再试",
         _GREY, _ANY, "451 4.7.1 Please try again later"),
    Seed("words.auth", "", "", "5xx", "spf|dkim|dmarc|sender id|unauthenticated|not authenticated", _AUTH, _ANY,
         "550 5.7.1 Refused by the DMARC policy of the sender's domain"),
    Seed("words.auth_now", "", "", "4xx", "spf|dkim|dmarc|sender id|unauthenticated|not authenticated", _AUTH_NOW, _ANY,
         "451 4.7.1 SPF could not be looked up"),
    Seed("words.ptr", "", "", "5xx",
         "reverse dns|ptr record|no ptr|rdns|bad reputation|poor reputation|low reputation|ip*blocked|ip*banned"
         "|client host*rejected",
         _IP, _ANY, "554 5.7.1 Your IP has a poor reputation"),
    Seed("words.syntax", "", "", "5xx", "bad address syntax|malformed address|bad recipient address syntax"
         "|地址格式错误", _SYNTAX, _ANY, "501 5.5.4 Malformed address"),
    Seed("words.recipient", "", "", "5xx",
         "refused by recipient|rejected by recipient*|blocked by recipient|recipient*refuses|not allowed to send to"
         "|restricted*recipient|收件人拒收|拒收",
         _REFUSED, _ANY, "550 5.7.1 Blocked by recipient"),
    Seed("words.content_now", "", "", "4xx", "spam|junk|virus|malware|phishing|content*rejected|垃圾邮件",
         _CONTENT_NOW, _ANY, "451 4.7.1 Looks like spam"),
    Seed("words.content", "", "", "5xx",
         "spam|junk|virus|malware|phishing|unsolicited|bulk mail|content*rejected|content*denied|content*blocked"
         "|message*rejected*content|垃圾邮件|病毒|内容违规|敏感内容",
         _CONTENT, _ANY, "554 5.7.1 Message content rejected"),
)  # fmt: skip

_ENHANCED_VAGUE = (
    Seed("coremail.not_taken_now", "", "", "4xx", "requested mail action not taken", _NOT_NOW_RECIPIENT, _ANY,
         "450 Requested mail action not taken"),
    Seed("coremail.not_taken", "", "", "5xx", "requested mail action not taken", _REFUSED, _ANY,
         "550 Requested mail action not taken"),
    Seed("code.4_recipient", "", "4.1.*|4.2.*", "", "", _NOT_NOW_RECIPIENT, _ANY, "450 4.2.0 The mailbox is busy"),
    Seed("code.4_system", "", "4.3.*|4.4.*|4.5.*", "", "", _NOT_NOW, _ANY, "451 4.3.2 The system takes nothing now"),
    Seed("code.5_content", "", "5.6.*", "", "", _OTHER_CONTENT, _ANY, "554 5.6.1 This media is not supported"),
    Seed("code.5_refused", "", "5.7.1|5.7.2", "", "", _REFUSED, _ANY, "550 5.7.1 Delivery is not authorised"),
)  # fmt: skip

_BASIC = (
    Seed("basic.421", "", "", "421", "", _NOT_NOW, _ANY, "421 Closing the channel"),
    Seed("basic.450", "", "", "450", "", _NOT_NOW_RECIPIENT, _ANY, "450 Not now"),
    Seed("basic.45x", "", "", "451|452|454|455", "", _NOT_NOW, _ANY, "451 Error here"),
    Seed("basic.521", "", "", "521|556", "", _NO_DOMAIN, _ANY, "521 We take no mail", "RFC 7504"),
    Seed("basic.530", "", "", "530|534|535|538", "", _NOT_NOW, _ANY, "530 Sign in first",
         "RFC 4954: between the server and us, no fault of the mail"),
    Seed("basic.552", "", "", "552", "", _FULL, _ANY, "552 Storage exceeded"),
    Seed("basic.5xx", "", "", "5xx", "", _OTHER, _ANY, "550 No",
         "550 alone may mean anything (RFC 5321 §4.2.3), so it proves no address dead"),
    Seed("basic.4xx", "", "", "4xx", "", _NOT_NOW, _ANY, "499 Wait"),
)  # fmt: skip

SEEDS: tuple[Seed, ...] = (
    *_TENCENT, *_NETEASE, *_SINA_MAIL, *_ABROAD, *_WORDS_FIRST, *_ENHANCED, *_WORDS, *_ENHANCED_VAGUE, *_BASIC,
)  # fmt: skip


@cache
def shipped() -> ReplyRules:
    """The table as it ships, compiled."""
    return ReplyRules(Rule(seed.key, seed.pattern, seed.verdict) for seed in SEEDS)


def classify(host: str, code: int, text: str) -> Outcome:
    """By the table as it ships; see `domain.transport.Classifier`."""
    return shipped().classify(host, code, text)
