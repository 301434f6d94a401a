"""Who may do what in one account: a viewer, a finance member and a developer at every route that changes something.

The cases come from the route table, so a new route is looked at without being named here.
"""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from domain.accounts import Role, SignedIn
from domain.members import RIGHTS, Right
from store.db import Database
from tests.accounts_world import HERE, PASSWORD, House
from tests.route_cases import BODIES, OPEN, OWN
from tests.route_table import Call, calls
from tests.tenants_world import Two, two_accounts

PERSONAL = {
    ("PUT", "/v1/account/password"),
    ("DELETE", "/v1/sessions"),
    ("DELETE", "/v1/sessions/{session_id}"),
    ("POST", "/v1/account/phone"),
    ("POST", "/v1/account/phone/confirm"),
    ("DELETE", "/v1/account/phone"),
    ("POST", "/portal/account/password"),
    ("POST", "/portal/account/phone"),
    ("POST", "/portal/account/phone/confirm"),
    ("POST", "/portal/account/phone/remove"),
    ("POST", "/portal/account/sessions/revoke-others"),
    ("POST", "/portal/account/sessions/{session_id}/revoke"),
}
"""One's own password, number and sessions: everybody may."""
LOOKS = {
    ("POST", "/v1/templates/preview"),
    ("POST", "/v1/templates/{ref}/preview"),
    ("POST", "/portal/templates/preview"),
    ("POST", "/v1/sms-templates/preview"),
    ("POST", "/v1/sms-templates/{sms_template_id}/preview"),
    ("POST", "/portal/sms-templates/preview"),
}
"""They answer and change nothing."""
CHANGES = [
    call
    for call in calls()
    if call.path.startswith(("/v1", "/portal/")) and call.method != "GET" and call.key not in set(OPEN) | PERSONAL
]
RIGHT_OF = {
    "domains": Right.SETTINGS, "api-users": Right.SETTINGS, "webhooks": Right.SETTINGS, "account": Right.SETTINGS,
    "templates": Right.TEMPLATES, "sends": Right.SEND, "test-send": Right.SEND, "members": Right.MEMBERS,
    "certifications": Right.CERTIFY, "certification": Right.CERTIFY, "recharges": Right.MONEY,
    "suppressions": Right.SEND, "address-lists": Right.SEND, "campaigns": Right.SEND, "sms": Right.SEND,
    "sms-sends": Right.SEND, "contact-lists": Right.SEND, "sms-test": Right.SEND,
    "sms-interceptions": Right.SEND,
    "sms-users": Right.SETTINGS, "sms-signatures": Right.TEMPLATES, "sms-templates": Right.TEMPLATES,
    "sms-opt-outs": Right.SEND, "scheduled-tasks": Right.SEND,
}  # fmt: skip
"""The right that the routes under this part of the path ask for."""


async def joined(home: House, by: SignedIn, email: str, role: Role) -> SignedIn:
    """A member of this role, who accepted an invitation."""
    await home.services.members.invite(by.caller, email, role.value)
    token = (await home.mails(email))[-1].token
    return await home.services.members.accept(token, PASSWORD, HERE)


@pytest.fixture(scope="module")
async def two(postgres_url: str) -> AsyncIterator[Two]:
    db = await Database.open(postgres_url, connections=5)
    async with two_accounts(db) as made:
        yield made
    await db.close()


@pytest.fixture(scope="module")
async def staff(two: Two) -> dict[Role, SignedIn]:
    roles = (Role.VIEWER, Role.FINANCE, Role.DEVELOPER)
    return {role: await joined(two.home, two.alice, f"{role.value}@first.example", role) for role in roles}


async def ask(two: Two, who: SignedIn, call: Call) -> httpx2.Response:
    path = re.sub(r"{(\w+)}", lambda hit: "1" if hit[1] == "number" else two.hers[hit[1]][0], call.path)
    own = OWN.get(call.key)
    options: dict[str, Any] = two.filled(own.options if own else BODIES.get(call.key, {}))
    return await two.ask(who, call, path, **options)


@pytest.mark.parametrize("call", CHANGES, ids=str)
async def test_a_viewer_changes_nothing(two: Two, staff: dict[Role, SignedIn], call: Call) -> None:
    before = await two.stand()
    answer = await ask(two, staff[Role.VIEWER], call)
    assert await two.stand() == before
    if call.key in LOOKS:
        assert answer.status_code == 200
        return
    if not call.is_page:
        assert answer.status_code == 403, f"{answer.status_code} {answer.text[:300]}"
        assert answer.json()["code"] in ("role_forbids", "not_owner")
    elif answer.status_code == 303:  # the list, which says why in its next message
        assert answer.headers["location"].startswith("/portal/")
    else:
        assert answer.status_code == 403, f"{answer.status_code} {answer.text[:300]}"


@pytest.mark.parametrize("role", [Role.FINANCE, Role.DEVELOPER])
async def test_a_role_is_refused_what_is_not_its_work_and_nothing_else(
    two: Two, staff: dict[Role, SignedIn], role: Role
) -> None:
    """Without bodies, so that what is allowed fails later than at the right."""
    asked = 0
    for call in CHANGES:
        part = call.path.split("/")[2]
        if call.is_page or call.key in LOOKS or call.path.endswith("/ownership") or part not in RIGHT_OF:
            continue
        allowed = RIGHT_OF[part] in RIGHTS[role]
        if allowed and call.method == "DELETE":
            continue
        code = (await ask(two, staff[role], call)).json().get("code") if not allowed else await _code(two, staff, call)
        assert (code == "role_forbids") is not allowed, f"{call}: {code}"
        asked += 1
    assert asked > 15


async def _code(two: Two, staff: dict[Role, SignedIn], call: Call) -> str | None:
    """The refusal's code for a call on an object that is not there."""
    role = Role.FINANCE if RIGHT_OF[call.path.split("/")[2]] in RIGHTS[Role.FINANCE] else Role.DEVELOPER
    path = re.sub(r"{\w+}", "01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f", call.path)
    options: dict[str, Any] = two.filled(BODIES.get(call.key, {})) if call.names else {}
    answer = await two.as_(staff[role], call.method, path, **options)
    return str(answer.json().get("code")) if answer.content else None


def test_every_changing_route_of_v1_is_under_a_right() -> None:
    parts = {call.path.split("/")[2] for call in CHANGES if call.path.startswith("/v1/")}
    assert parts <= set(RIGHT_OF)


async def test_pages_say_why_and_switch_buttons_off(two: Two, staff: dict[Role, SignedIn]) -> None:
    for path in ("/portal/domains", "/portal/webhooks/new", "/portal/templates/new", "/portal/members"):
        page = await two.page(staff[Role.VIEWER], Call("GET", path), path)
        assert page.status_code == 200
        assert "您的角色（查看者）只能查看此页" in page.text
        main = page.text[page.text.index("<main") : page.text.index("</main>")]
        buttons = [tag for tag in re.findall(r"<button[^>]*>", main) if 'type="submit"' in tag and "preview" not in tag]
        assert buttons and all(" disabled" in tag for tag in buttons), path
    own = await two.page(two.alice, Call("GET", "/portal/domains"), "/portal/domains")
    assert "只能查看此页" not in own.text and " disabled" not in own.text[own.text.index("<main") :]


async def test_the_menu_leaves_out_what_a_role_may_not_see(two: Two, staff: dict[Role, SignedIn]) -> None:
    def menu(page: httpx2.Response) -> set[str]:
        part = page.text[page.text.index('id="menu"') : page.text.index("</nav>")]
        return set(re.findall(r'href="([^"]+)"', part))

    seen = {role: menu(await two.page(who, Call("GET", "/portal/"), "/portal/")) for role, who in staff.items()}
    hers = menu(await two.page(two.alice, Call("GET", "/portal/"), "/portal/"))
    money = {"/portal/statement", "/portal/recharges", "/portal/certification"}
    assert money <= hers and money <= seen[Role.FINANCE]
    assert not money & seen[Role.DEVELOPER] and not money & seen[Role.VIEWER]
