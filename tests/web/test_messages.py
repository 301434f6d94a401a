"""What a message on a page may contain: our own pages as links, everything else as text."""

import pytest

from web.pages import with_links


def link(path: str) -> str:
    return f'<a class="alert-link" href="{path}">{path}</a>'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("请到 /portal/sms-users 完成这一步", f"请到 {link('/portal/sms-users')} 完成这一步"),
        ("（/portal/recharges）；/contact。", f"（{link('/portal/recharges')}）；{link('/contact')}。"),
        ("<b>/portal/sends</b>", f"&lt;b&gt;{link('/portal/sends')}&lt;/b&gt;"),
        ("/portal/sends/../x /portalx //portal/sends", "/portal/sends/../x /portalx //portal/sends"),
        ("https://a.example/portal/sends javascript:/contact", "https://a.example/portal/sends javascript:/contact"),
        ('/contact" onclick="x', f"{link('/contact')}&#34; onclick=&#34;x"),
    ],
)
def test_only_our_pages_become_links(text: str, shown: str) -> None:
    assert str(with_links(text)) == shown
