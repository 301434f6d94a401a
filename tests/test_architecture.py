"""The arrows of docs/design (§2): who may import whom, read from the source."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

DOORS = {"api", "web", "smtp"}
MAY_IMPORT = {
    "domain": {"domain"},
    "store": {"domain", "store"},
    "gateways": {"domain", "gateways"},
    "activities": {"domain", "store", "activities"},
    "workflows": {"domain", "activities", "workflows"},
    "services": {"domain", "store", "workflows", "services"},
    **{door: {"domain", "store", "services", door} for door in DOORS},
}
ROOTS = {
    "worker.py",
    "worker_sms.py",
    "stack.py",
    "cli.py",
    "api/app.py",
    "smtp/app.py",
    "settings.py",
    "commands/terminal.py",
}
"""Composition roots build everything, and only they (and the settings themselves) read settings."""
BESIDE = {
    "sandbox": {"sandbox"},
    "supervision": {"supervision"},
    "demo": {"domain", "demo"},
}
"""Programs beside the house: the pretend Internet, the supervisor, the demo (a customer, over public interfaces)."""
MAY_IMPORT |= BESIDE
OURS = {*MAY_IMPORT, "bench", "commands", "settings", "worker", "worker_sms", "stack", "cli", "tests"}
SOURCES = sorted(path for layer in MAY_IMPORT for path in Path(layer).rglob("*.py") if str(path) not in ROOTS)


def imports(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative imports hide the layer"
            yield node.module or ""


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_layers_import_downwards_only(path: Path) -> None:
    layer = path.parts[0]
    named = {module.partition(".")[0] for module in imports(path)}
    assert named & OURS <= MAY_IMPORT[layer]
    if layer == "workflows":
        assert named <= MAY_IMPORT[layer] | {"temporalio"} | sys.stdlib_module_names


def test_only_composition_roots_read_settings() -> None:
    readers = [path for path in Path().glob("**/*.py") if path.parts[0] in OURS - {"tests"} | ROOTS]
    assert {str(path) for path in readers if "settings" in set(imports(path))} <= ROOTS


def test_the_workflows_package_is_empty() -> None:
    """Temporal's sandbox runs it again for every workflow."""
    assert Path("workflows/__init__.py").read_bytes() == b""


def test_every_layer_was_looked_at() -> None:
    assert {path.parts[0] for path in SOURCES} == set(MAY_IMPORT)
    assert "domain.ids" in set(imports(Path("services/clockwork.py")))


LOCKED_INSIDE = re.compile(r"\b(FROM|IN|USING|JOIN) \(\s*SELECT[^;\"]*?\bLIMIT\b[^()\"]*\bFOR (NO KEY )?UPDATE")
"""Rows that are chosen and locked inside a join or a condition: a plan may ask for them again, and gets others."""


def test_rows_that_are_locked_are_chosen_first() -> None:
    assert LOCKED_INSIDE.search("UPDATE a FROM (SELECT id FROM b ORDER BY id LIMIT 1 FOR UPDATE) AS old")
    found = [str(path) for path in SOURCES if LOCKED_INSIDE.search(path.read_text())]
    assert not found, f"{found}: name them in a CTE of their own (WITH … AS MATERIALIZED)"
