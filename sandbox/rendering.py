"""HTML pages from the templates, every value escaped."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from sandbox.pay_orders import yuan

_LINK = re.compile(r"https?://[^\s<>\"'()\[\]]+[^\s<>\"'()\[\].,;:!?，。；：！？、）】》]")


def page_templates(folder: Path) -> Environment:
    """The templates with the filters the pages use."""
    pages = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    pages.filters.update(clock=_clock, moment=_moment, size=_size, links=_links, yuan=yuan)
    return pages


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render ``template`` as the answer to ``request``."""
    pages: Environment = request.app.state.templates
    return HTMLResponse(pages.get_template(template).render(path=request.url.path, **values), status)


def _clock(seconds: float | None) -> str:
    """Time of day for what came today, with the date for what is older."""
    if seconds is None:
        return "–"
    today = time.strftime("%Y-%m-%d") == time.strftime("%Y-%m-%d", time.localtime(seconds))
    return time.strftime("%H:%M:%S" if today else "%m-%d %H:%M", time.localtime(seconds))


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(seconds))


def _size(octets: int) -> str:
    return f"{octets} B" if octets < 1024 else f"{octets / 1024:.1f} KB"


def _links(text: str) -> Markup:
    """Plain text with its web addresses made clickable."""
    done, at = Markup(""), 0
    for found in _LINK.finditer(text):
        done += escape(text[at : found.start()])
        done += Markup('<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>').format(found[0])
        at = found.end()
    return done + escape(text[at:])
