"""What is wrong with an SMS template, found when it is saved and before a person reviews it (domain-rules §4.1).

Errors keep a version from being submitted; warnings are shown to its author and to the reviewer.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from domain.reviews import ReviewState
from domain.sms import MAX_CHARACTERS, MAX_VALUE, Market, SmsKind
from domain.sms_template_findings import STATES_ZH, WORDS
from domain.sms_templates import MAX_SAVED, SmsContent, preview, sample_values
from domain.sms_text import longest, variables_in
from domain.template_lint import Finding, Severity

CONTENT, SIGNATURE = "content", "signature"
_PARTS = {CONTENT: ("短信内容", "content"), SIGNATURE: ("签名", "signature")}
_BAD = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLACE = re.compile(r"%[A-Za-z0-9_][A-Za-z0-9_-]{0,31}%")
_TOO_LONG = re.compile(r"%([A-Za-z0-9_-]{33,})%")
_ODD_NAME = re.compile(r"%([^%\s，。！？,.!?；;：:]{1,40})%")
_UNCLOSED = re.compile(r"%([A-Za-z_][A-Za-z0-9_-]{0,31})")
_VALIDITY = re.compile(r"min|valid|expire|time|hour|ttl", re.IGNORECASE)
_LINK = re.compile(
    r"https?://[^\s，。！？；【】]+|www\.[^\s，。！？；【】]+"
    r"|(?<![A-Za-z0-9@.-])(?:[A-Za-z0-9-]+\.)+(?:com|cn|net|org|cc|top|vip|xyz|io|me|info|shop)\b[^\s，。！？；【】]*",
    re.IGNORECASE,
)
_LINK_NAME = re.compile(r"(?:^|[_-])(?:url|link|href|web|site|website|short_?url)(?:$|[_-])|url$|link$", re.IGNORECASE)
_REPLY = r"\s*(?:请|可)?\s*(?:直接)?\s*(?:回复|回|发送|发)\s*[“\"‘]?(?:[Tt][Dd]|[RTNrtn])[”\"’]?(?![A-Za-z0-9])"
_OPT_OUT = re.compile(rf"(?:拒收|退订){_REPLY}|{_REPLY}\s*(?:即可)?\s*(?:退订|拒收)")
_OPT_OUT_ABROAD = re.compile(r"\b(?:reply|text|send)\s+stop\b|\bstop\s+to\s+(?:opt|unsubscribe|end)|unsubscribe", re.I)
_ADVERTISING = re.compile(
    r"优惠|促销|打折|[0-9一二三四五六七八九]折|特价|抢购|红包|免费领|限时|立减|满减|秒杀|新品上市"
)
_CONTACT = re.compile(
    r"(?:(?:qq群?|扣扣|企鹅号?|微信号?|weixin|wechat|薇信|威信|v信|vx|wx|telegram)\s*[号群]?\s*[:：是为加]?"
    r"|(?:电报|飞机)\s*[号群:：加])\s*[a-z0-9][a-z0-9_-]{4,19}"
    r"|(?:(?<![参增附])加|[➕+])(?:我|客服)?(?:qq|微信|v信|vx|薇信)",
    re.IGNORECASE,
)
_PHONE = re.compile(r"(?<![\d%A-Za-z])(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)|(?<!\d)0\d{2,3}-\d{7,8}(?!\d)")
_FORBIDDEN = re.compile(
    r"博彩|赌博|赌场|赌球|六合彩|时时彩|百家乐|老虎机|外围投注|色情|成人视频|约炮|裸聊|援交|枪支|弹药|迷药|冰毒|大麻(?!烦|袋)|毒品"
    r"|代开发票|开发票联系|办假证|(?<!深)刻章|(?<!时)代考(?!虑|察|量)|替考|窃听|私家侦探|刷单|刷信誉|跑分|洗钱|传销|法轮"
    r"|\bcasino\b|\bgambling\b|\bporn|\bescort service",
    re.IGNORECASE,
)
_NOT_IN_MARKETING = re.compile(
    r"贷款|借款|网贷|小额贷|套现|信用卡代还|提额|股票|荐股|涨停|期货|外汇|配股|基金|理财|保险|比特币|虚拟货币|区块链|众筹"
    r"|彩票|中奖|开盘|楼盘|首付|商铺|别墅|移民|留学中介|保健品|壮阳|减肥药|整形|医美|增高|白酒|香烟|电子烟|烟草"
    r"|招商加盟|直销|兼职|高薪|算命|殡葬"
    r"|\bloans?\b|\bforex\b|\bbitcoin\b|\bcrypto|\blotter(?:y|ies)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ChosenSignature:
    """What is known of the signature that a version names."""

    text: str
    state: ReviewState
    market: Market


def lint(content: SmsContent, signature: ChosenSignature | None) -> list[Finding]:
    """Everything that is wrong, errors first. `signature`: None when none is chosen, or it is gone."""
    found = [*_signature(content, signature), *unstorable(content)]
    if not content.content.strip():
        found.append(_finding("no_content"))
    else:
        found += [*_size(content), *_variables(content.content), *_links(content), *_of_kind(content), *_words(content)]
    return sorted(found, key=lambda finding: finding.severity is Severity.WARNING)


def unstorable(content: SmsContent) -> list[Finding]:
    """What keeps content from even being saved as a draft: its size, or characters that no SMS can carry."""
    found = []
    if len(content.content) > MAX_SAVED:
        found.append(_finding("too_large", length=len(content.content), limit=MAX_SAVED))
    if bad := _BAD.search(content.content):
        line = content.content.count("\n", 0, bad.start()) + 1
        found.append(_finding("bad_character", line=line, what=f"U+{ord(bad[0]):04X}"))
    return found


def _finding(code: str, part: str = CONTENT, line: int = 0, **params: object) -> Finding:
    severe, zh, en = WORDS[code]
    name_zh, name_en = _PARTS[part]
    zh, en = zh.format(**params), en.format(**params)
    place_zh, place_en = (f"{name_zh}第 {line} 行", f"{name_en}, line {line}") if line else (name_zh, name_en)
    severity = Severity.ERROR if severe else Severity.WARNING
    return Finding(severity, code, part, line, f"{place_zh}：{zh}", f"{place_en}: {en}")


def _signature(content: SmsContent, signature: ChosenSignature | None) -> Iterator[Finding]:
    if signature is None:
        yield _finding("no_signature", SIGNATURE)
        return
    if signature.market is not content.market:
        yield _finding("signature_market", SIGNATURE, name=signature.text)
    if signature.state is not ReviewState.APPROVED:
        state = signature.state.value
        yield _finding(
            "signature_not_approved", SIGNATURE, name=signature.text, state=state, state_zh=STATES_ZH[state]
        )  # fmt: skip


def _size(content: SmsContent) -> Iterator[Finding]:
    fixed = longest(content.text, dict.fromkeys(content.variables, 0))
    if fixed > MAX_CHARACTERS:
        yield _finding("too_long", length=fixed, limit=MAX_CHARACTERS)
        return
    most = longest(content.text, dict.fromkeys(content.variables, MAX_VALUE))
    if most > MAX_CHARACTERS:
        yield _finding("may_be_too_long", length=most, limit=MAX_CHARACTERS)
    usual = preview(content, sample_values(content))
    if content.kind is SmsKind.CODE:
        if usual.segments > 1:
            yield _finding("code_too_long", segments=usual.segments)
    elif usual.segments > 1:
        yield _finding("several_segments", segments=usual.segments, most=usual.most_segments)


def _variables(text: str) -> Iterator[Finding]:
    """What looks like a variable and is none; those that are, are blanked out first."""
    rest = _PLACE.sub(lambda place: " " * len(place[0]), text)
    for code, pattern in (("long_name", _TOO_LONG), ("bad_name", _ODD_NAME), ("unclosed", _UNCLOSED)):
        for name in dict.fromkeys(hit[1] for hit in pattern.finditer(rest)):
            yield _finding(code, name=name[:40])
        rest = pattern.sub(lambda hit: " " * len(hit[0]), rest)
    first: dict[str, str] = {}
    for name in variables_in(text):
        if first.setdefault(name.lower(), name) != name:
            yield _finding("look_alike", name=name, other=first[name.lower()])


def _links(content: SmsContent) -> Iterator[Finding]:
    links = list(dict.fromkeys(hit[0] for hit in _LINK.finditer(content.content)))
    inside = dict.fromkeys(name for link in links for name in variables_in(link))
    for name in dict.fromkeys([*inside, *(each for each in content.variables if _LINK_NAME.search(each))]):
        yield _finding("link_variable", name=name)
    for link in links:
        yield _finding("code_link" if content.kind is SmsKind.CODE else "link", link=link[:60])


def _of_kind(content: SmsContent) -> Iterator[Finding]:
    if "【" in content.content or "】" in content.content:
        yield _finding("signature_in_text")
    if content.kind is SmsKind.CODE:
        yield from _code(content.variables)
    yield from _opt_out(content)


def _code(names: list[str]) -> Iterator[Finding]:
    """One variable is the code; one more may say how long it is valid."""
    codes = [name for name in names if not _VALIDITY.search(name)]
    validity = [name for name in names if _VALIDITY.search(name)]
    if not codes:
        yield _finding("code_without_variable")
    if extra := [*codes[1:], *validity[1:]]:
        yield _finding("code_variables", names=", ".join(extra))


def _opt_out(content: SmsContent) -> Iterator[Finding]:
    abroad = content.market is Market.INTERNATIONAL
    pattern = _OPT_OUT_ABROAD if abroad else _OPT_OUT
    text = _closed_up(content.content)
    hits = list(pattern.finditer(text))
    if content.kind is not SmsKind.MARKETING:
        if hits and not abroad:
            yield _finding("opt_out", words=hits[0][0])
        if word := _ADVERTISING.search(content.content):
            yield _finding("advertising", word=word[0])
    elif not hits:
        yield _finding("no_opt_out_abroad" if abroad else "no_opt_out")
    elif len(text[hits[-1].end() :].strip(" 。.!！")) > 12:
        yield _finding("opt_out_not_last")


def _closed_up(text: str) -> str:
    """Blanks in a row as one: patterns with several optional blanks in a row try each way to share out a hundred."""
    return re.sub(r"\s+", " ", text)


def _words(content: SmsContent) -> Iterator[Finding]:
    """Looked for in the text as it is read: without width, case and the blanks that hide a word."""
    plain = _closed_up(unicodedata.normalize("NFKC", _PLACE.sub(" ", content.content)).casefold())
    dense = re.sub(r"(?<=[^\x00-\x7f])[\s*._|·-]+(?=[^\x00-\x7f])", "", plain)
    for word in dict.fromkeys(hit[0] for hit in _FORBIDDEN.finditer(dense)):
        yield _finding("forbidden", word=word)
    if content.kind is SmsKind.MARKETING:
        for word in dict.fromkeys(hit[0] for hit in _NOT_IN_MARKETING.finditer(dense)):
            yield _finding("forbidden_in_marketing", word=word)
    if contact := _CONTACT.search(dense):
        yield _finding("contact_id", words=contact[0])
    if phone := _PHONE.search(plain):
        yield _finding("phone_number", words=phone[0])
