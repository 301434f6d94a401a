"""What a fresh clone is installed and deployed from."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parent.parent
COMPOSE = CHECKOUT / "docker-compose.yml"


def locked() -> dict[str, str]:
    """Name to version."""
    text = (CHECKOUT / "requirements.lock").read_text()
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", text, re.M)
    return {canonicalize_name(name): version for name, version in pins}


def declared() -> list[Requirement]:
    """What pyproject.toml asks for, with the tools of development."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    return [Requirement(text) for text in project["dependencies"] + project["optional-dependencies"]["dev"]]


@pytest.mark.parametrize("requirement", declared(), ids=lambda requirement: requirement.name)
def test_the_lock_satisfies_what_is_declared(requirement: Requirement) -> None:
    version = locked().get(canonicalize_name(requirement.name))
    assert version is not None, "run `make lock`"
    assert requirement.specifier.contains(version, prereleases=True), "run `make lock`"


def test_every_locked_package_has_hashes_and_none_an_address() -> None:
    text = (CHECKOUT / "requirements.lock").read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(blocks) > 50
    assert [block for block in blocks if "--hash=sha256:" not in block] == []
    assert "://" not in text
    assert "index-url" not in text


def test_the_image_builds_from_source_what_has_no_wheels_as_the_makefile_does() -> None:
    built = [re.findall(r"--no-binary (\S+)", (CHECKOUT / name).read_text()) for name in ("Makefile", "Dockerfile")]
    assert built[0] == built[1] != []


def compose_check(path: Path) -> subprocess.CompletedProcess[str]:
    """Against the compose schema that check-jsonschema ships."""
    command = [str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema", "vendor.compose-spec"]
    return subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)


def test_the_compose_file_is_valid() -> None:
    assert compose_check(COMPOSE).returncode == 0, compose_check(COMPOSE).stdout


def test_an_invalid_compose_file_is_noticed(tmp_path: Path) -> None:
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(COMPOSE.read_text().replace("condition: service_healthy", "condition: feels_fine"))
    assert compose_check(broken).returncode != 0


def test_secrets_of_the_compose_file_have_no_default() -> None:
    secrets = re.findall(r"\$\{(\w*(?:PASSWORD|SECRET)\w*)([^}]*)\}", COMPOSE.read_text())
    assert len(secrets) >= 4
    assert [name for name, default in secrets if not default.startswith(":?") and default != ":-"] == []


def test_the_compose_file_believes_its_own_network_and_nobody_else() -> None:
    text = COMPOSE.read_text()
    network = re.search(r"- subnet: (\${SONGDA_NETWORK:-([0-9./]+)})$", text, re.M)
    trusted = re.search(r"SONGDA_TRUSTED_PROXIES: \${SONGDA_TRUSTED_PROXIES:-(.*)}$", text, re.M)
    assert network and trusted
    assert json.loads(trusted[1].replace(network[1], network[2])) == [network[2]]


@pytest.mark.parametrize("script", [*sorted(CHECKOUT.glob("deploy/**/*.sh")), CHECKOUT / ".ci" / "run"], ids=str)
def test_shell_scripts_parse(script: Path) -> None:
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
