"""Who is at the door, as far as one can tell before they sign in."""

import re
from dataclasses import dataclass

from domain.networks import neighbourhood

_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("MicroMessenger", "WeChat"), ("Firefox", "Firefox"),
             ("Chrome", "Chrome"), ("Safari", "Safari"))  # fmt: skip
_SYSTEMS = (("Windows", "Windows"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"),
            ("Mac OS X", "macOS"), ("Linux", "Linux"))  # fmt: skip


@dataclass(frozen=True)
class Visitor:
    """`client` is a short description for the list of sessions."""

    ip: str
    client: str = ""

    @property
    def place(self) -> str:
        """What a limit of visitors counts as one: an IPv6 address is one of 2⁶⁴ that its owner can take in turn."""
        return neighbourhood(self.ip)


def describe_client(user_agent: str) -> str:
    """`Firefox · Windows`, or the product that a program names, at most 60 characters."""
    browser = next((name for mark, name in _BROWSERS if f"{mark}/" in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser:
        return f"{browser} · {system}" if system else browser
    product = re.match(r"[\w.+-]+(/[\w.+-]+)?", user_agent)
    return product[0][:60] if product else ""
