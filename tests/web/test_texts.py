"""Every text of every page exists in English, and no two files translate one text in two ways."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from web.i18n import LOCALES, english, translate, translations

WEB = Path("web")
METHODS = {".html": "jinja2.ext:babel_extract", ".py": "python"}
OPTIONS = {"silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}


def messages_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, message id) of one template or module."""
    with path.open("rb") as file:
        for line, message, *_ in extract(METHODS[path.suffix], file, keywords={"_": None}, options=OPTIONS):
            text = message[0] if isinstance(message, tuple) else message
            if isinstance(text, str):  # else the text is a variable, and named elsewhere
                yield line, text


def sources() -> list[Path]:
    return sorted([*WEB.rglob("*.html"), *WEB.rglob("*.py")])


def test_every_text_has_an_english_translation() -> None:
    known = english()
    missing = [
        f"{path}:{line}: {message}"
        for path in sources()
        for line, message in messages_of(path)
        if re.search(r"[\u4e00-\u9fff]", message) and message not in known
    ]
    assert not missing, "\n".join(missing)
    assert len(known) > 50


def test_templates_hold_no_chinese_outside_of_texts() -> None:
    """What is not wrapped in `_()` would stay Chinese on English pages."""
    found = []
    for path in WEB.rglob("*.html"):
        bare = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", "", path.read_text(), flags=re.DOTALL)
        found += [f"{path}: {hit}" for hit in re.findall(r"[\u4e00-\u9fff]+", bare)]
    assert not found


@pytest.mark.parametrize("path", sorted((LOCALES / "en").glob("*.po")), ids=lambda path: path.name)
def test_translations_keep_their_placeholders(path: Path) -> None:
    with path.open("rb") as file:
        for message in read_po(file, locale="en"):
            wanted = set(re.findall(r"{\w+}", str(message.id)))
            assert set(re.findall(r"{\w+}", str(message.string))) == wanted, message.id


def test_no_two_files_translate_one_text_in_two_ways() -> None:
    merged = english()
    differing = [
        f"{path.name}: {message} = {text!r}, elsewhere {merged[message]!r}"
        for path in (LOCALES / "en").glob("*.po")
        for message, text in translations(path).items()
        if merged[message] != text
    ]
    assert not differing, "\n".join(differing)


def test_params_are_filled_in_both_languages() -> None:
    assert translate("zh", "已退出其他 {count} 个登录。", count=2) == "已退出其他 2 个登录。"
    assert translate("en", "已退出其他 {count} 个登录。", count=2) == "Ended 2 other sessions."
