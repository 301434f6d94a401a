"""Mails as customers' programs and hostile ones write them: what is read, and that nothing else can happen."""

import json
from base64 import b64encode
from email.header import Header
from email.message import EmailMessage, Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.submitted_mail import MOST_PARTS, SubmittedMail, Unreadable, read_mail
from domain.xsmtpapi import BadXsmtpapi, read_header

HEAD = b"From: a@b.test\r\nSubject: s\r\n"


def refused(content: bytes) -> str:
    with pytest.raises(Unreadable) as bad:
        read_mail(content)
    return bad.value.reply


def test_a_mail_of_the_standard_library() -> None:
    mail = EmailMessage()
    mail["From"], mail["Reply-To"], mail["Subject"] = "送达 <a@b.test>", "c@d.test", "您好" * 40
    mail.set_content("纯文本\n")
    mail.add_alternative("<p>网页</p>\n", subtype="html")
    found = read_mail(bytes(mail).replace(b"\n", b"\r\n"))
    assert (found.sender, found.sender_name, found.reply_to) == ("a@b.test", "送达", "c@d.test")
    assert found.subject == "您好" * 40
    assert (found.html.strip(), found.text.strip()) == ("<p>网页</p>", "纯文本")


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ("From: a@b.test", ""),
        ("From: <a@b.test>", ""),
        ('From: "Li, Lei" <a@b.test>', "Li, Lei"),
        ("From: =?gbk?B?0KHD9w==?= <a@b.test>", "小明"),
        ("From: =?utf-8?q?=E5=B0=8F?=\r\n =?utf-8?q?=E6=98=8E?= <a@b.test>", "小明"),
        ("From: 小明 <a@b.test>", "小明"),
        ("From: a@b.test (Li Lei)", "Li Lei"),
        ("from:  x\r\n <a@b.test>", "x"),
    ],
)
def test_names_of_the_sender(fields: str, shown: str) -> None:
    found = read_mail(f"{fields}\r\nSubject: s\r\n\r\nhello\r\n".encode())
    assert (found.sender, found.sender_name) == ("a@b.test", shown)


@pytest.mark.parametrize(
    ("charset", "raw"),
    [
        ("gb2312", "你好镕".encode("gbk")),
        ("utf-8", "你好".encode()),
        ("big5", "你好".encode("big5")),
        ("", "你好".encode()),
        ("us-ascii", "你好".encode()),
        ("iso-8859-1", b"caf\xe9"),
    ],
)
def test_charsets_that_customers_write(charset: str, raw: bytes) -> None:
    kind = f"text/html; charset={charset}" if charset else "text/html"
    said = read_mail(HEAD + f"Content-Type: {kind}\r\n\r\n".encode() + raw).html
    assert said in ("你好镕", "你好", "café")


@pytest.mark.parametrize(
    "charset", ["idna", "punycode", "rot13", "zlib", "unicode_escape", "nonsense", "utf-7", "a" * 999]
)
def test_no_other_codec_is_run(charset: str) -> None:
    assert refused(HEAD + f"Content-Type: text/html; charset={charset}\r\n\r\nx".encode())[:9] == "554 5.6.3"
    assert refused(f"From: =?{charset}?q?x?= <a@b.test>\r\n\r\nx".encode())[:9] == "554 5.6.3"


def multipart(kind: str, *parts: str) -> bytes:
    body = "".join(f"--b\r\n{part}\r\n" for part in parts)
    return HEAD + f'Content-Type: multipart/{kind}; boundary="b"\r\n\r\n{body}--b--\r\n'.encode()


HTML, TEXT = "Content-Type: text/html\r\n\r\n<p>h</p>", "Content-Type: text/plain\r\n\r\nt"


@pytest.mark.parametrize("name", ["Content-Type", "content-type ", "Content-Disposition", "CONTENT-TRANSFER-ENCODING"])
@pytest.mark.parametrize("end", ["", "\r\n "])
@pytest.mark.parametrize("nested", [False, True])
def test_a_field_of_mime_that_is_long_is_refused_unread(name: str, end: str, nested: bool) -> None:
    """The standard library cuts parameters off one by one, each time with a copy of the rest: minutes for a mail."""
    long = f"{name}: text/html; " + f"a=b;{end}" * 3_000 + "\r\n\r\n<p>h</p>"
    raw = multipart("mixed", long) if nested else HEAD + long.encode()
    assert refused(raw) == "550 5.6.0 a Content-... field is too long"


def test_a_mail_of_fields_is_refused_unread() -> None:
    assert refused(HEAD + b"a:\r\n" * 200_000 + b"\r\nx")[:9] == "554 5.6.0"
    assert refused(multipart("mixed", "a:\r\n" * 200_000 + "\r\nx"))[:9] == "554 5.6.0"


@pytest.mark.parametrize("kind", ["alternative", "mixed", "related"])
def test_two_bodies_in_whatever_container(kind: str) -> None:
    found = read_mail(multipart(kind, TEXT, HTML))
    assert (found.html, found.text) == ("<p>h</p>", "t")


@pytest.mark.parametrize(
    "part",
    [
        "Content-Type: application/pdf\r\n\r\nx",
        "Content-Type: image/png\r\nContent-ID: <a>\r\n\r\nx",
        TEXT,
        HTML,
        "Content-Type: message/rfc822\r\n\r\nFrom: a@b.test\r\n\r\nx",
        "Content-Type: text/calendar\r\n\r\nx",
        'Content-Type: text/plain; name="a.txt"\r\n\r\nx',
        "Content-Type: text/html\r\nContent-Disposition: attachment\r\n\r\nx",
    ],
)
def test_anything_else_is_refused(part: str) -> None:
    assert refused(multipart("mixed", TEXT, HTML, part))[:9] == "554 5.6.1"


def test_xsmtpapi_as_programs_fold_it() -> None:
    people = [f"p{n}@x.test" for n in range(90)]
    packed = b64encode(json.dumps({"to": people}).encode()).decode()
    modern, classic, wrapped, written = EmailMessage(), Message(), Message(), Message()
    modern["X-SMTPAPI"] = packed
    classic.add_header("X-SMTPAPI", Header(packed).encode())
    wrapped.add_header("X-SMTPAPI", Header(packed, "utf-8").encode())
    plain = json.dumps({"to": people, "pubsub": {"%a%": "你好 " * 40}}, ensure_ascii=False)
    written.add_header("X-SMTPAPI", Header(plain, "utf-8").encode())
    for mail in (modern, classic, wrapped, written):
        mail["From"] = "a@b.test"
        mail.set_payload("hello")
        raw = mail.as_bytes(policy=mail.policy.clone(linesep="\r\n"))
        assert max(map(len, raw.split(b"\r\n"))) < (100 if mail is not classic else 9_999)
        personal = read_header(read_mail(raw).xsmtpapi)
        assert personal is not None
        assert personal.to == people
    assert personal is not None and personal.common == {"a": "你好 " * 40}


def test_a_long_xsmtpapi_of_broken_words_takes_no_time() -> None:
    for piece in ("=?", "=?a?q?", "=?utf-8?q?x ", "?= ", "=?utf-8?q?" + "x" * 900 + " "):
        raw = HEAD + b"X-SMTPAPI: " + (piece * (1_000_000 // len(piece))).encode() + b"\r\n\r\nx"
        with pytest.raises(BadXsmtpapi):
            read_header(read_mail(raw).xsmtpapi)


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "From: \r\n",
        "From: a@b.test\r\nFrom: c@d.test\r\n",
        "From: a@b.test, c@d.test\r\n",
        "From: nobody\r\n",
        "From: " + "(" * 9000 + "\r\n",
        "From: " + "a@b.test," * 2000 + "\r\n",
        "From: a@b.test\r\nSubject: a\r\nSubject: b\r\n",
        "From: a@b.test\r\nX-SMTPAPI: a\r\nX-SMTPAPI: b\r\n",
    ],
)
def test_a_header_that_says_two_things_or_nothing(fields: str) -> None:
    assert refused(f"{fields}\r\nhello".encode())[:3] in ("550", "554")


def test_nesting_is_bounded() -> None:
    deep = HEAD
    for n in range(MOST_PARTS + 1):
        deep += f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n'.encode()
    assert refused(deep)[:3] == "554"
    wide = HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * 1000 + b"--b--\r\n"
    assert refused(wide)[:3] == "554"
    assert refused(b"From: a@b.test\r\n\r\n" + b"x" * 5_000_000)[:3] == "552"


PIECES = st.sampled_from(
    [
        b"From: a@b.test\r\n",
        b"Subject: =?utf-8?b?!!!!?=\r\n",
        b"From: =?x?q?=ff?=",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: text/html; charset*=utf-8''%ff; name*0*=x\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"--b\r\n",
        b"--b--\r\n",
        b"Content-Type: message/partial\r\n",
        b"Content-Transfer-Encoding: uuencode\r\n",
        b"begin 644 x\r\n#0V%T\r\n",
        b"\r\n",
        b"a===\r\n",
        b"X-SMTPAPI: e30=\r\n",
        b"Content-Disposition: attachment; filename*=x'y'%%\r\n",
        b"\xff\xfe",
        b'"(<>,;:\\"@[]',
        b"=?gbk?b?",
    ]
) | st.binary(max_size=30)


@given(st.lists(PIECES, max_size=25))
def test_whatever_it_is_it_is_read_or_refused(pieces: list[bytes]) -> None:
    try:
        assert isinstance(read_mail(b"".join(pieces)), SubmittedMail)
    except Unreadable as bad:
        assert bad.reply[:1] == "5"
