"""Every text of every page exists in English, and no two files translate one text in two ways."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from babel.messages.pofile import read_po

from web.i18n import LOCALES, english, translate, translations

WEB = Path("web")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
NO_TEXTS = {
    "中文": "a language's own name for itself",
    "Songda 送达": "a name",
    "email,name\nlilei@example.com,李雷": "a sample of a file; names in it are often Chinese",
}
"""Chinese that is the same on English pages, and why."""


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of every Chinese literal, whatever function it is given to: each one is a message id."""
    literals = in_template if path.suffix == ".html" else in_module
    yield from ((line, text) for line, text in literals(path.read_text()) if CHINESE.search(text))


def in_module(source: str) -> Iterator[tuple[int, str]]:
    """All but the docstrings."""
    nodes = list(ast.walk(ast.parse(source)))
    told = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.lineno, node.value


def in_template(source: str) -> Iterator[tuple[int, str]]:
    """All inside of `{{ }}` and `{% %}`."""
    for line, kind, value in jinja2.Environment(autoescape=True).lex(source):
        if kind == "string":
            yield line, ast.literal_eval(value)


def sources() -> list[Path]:
    return sorted([*WEB.rglob("*.html"), *WEB.rglob("*.py")])


def test_every_text_has_an_english_translation() -> None:
    known = english()
    missing = [
        f"{path}:{line}: {text}"
        for path in sources()
        for line, text in texts_of(path)
        if text not in known and text not in NO_TEXTS
    ]
    assert not missing, "\n".join(missing)
    assert len(known) > 50


@pytest.mark.parametrize(
    "line",
    [
        "x = _('字')",
        "x = mark('字')",
        "x = translator(request)('字')",
        "say('字', n=1)",
        "x = {Source.GUESS: named('字')}",
    ],
)
def test_a_text_is_found_whatever_it_is_wrapped_in(line: str) -> None:
    assert list(in_module(f'"""说明"""\n{line}\n"""说明"""')) == [(2, "字")]
    assert list(in_template("字{# 字 #}{{ " + line.removeprefix("x = ") + " }}")) == [(1, "字")]


def test_what_is_no_text_is_there() -> None:
    assert NO_TEXTS.keys() <= {text for path in sources() for _, text in texts_of(path)}


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
