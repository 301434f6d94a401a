"""The starlette-admin site under /console: lists for operators, in the frame of our own pages."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette_admin.auth import AdminUser, BaseAuthProvider
from starlette_admin.base import BaseAdmin
from starlette_admin.i18n import I18nConfig, TimezoneConfig
from starlette_admin.routing import route
from starlette_admin.views import CustomView

from domain.errors import Refusal
from web import flash
from web.console.edge import Edge, Nonces
from web.console.lists import LISTS
from web.console.pages import frame
from web.console.sessions import LOGIN, operator_token
from web.i18n import COOKIE

SERVED = frozenset({"list", "detail", "action", "row-action", "index", "login", "logout", "static"})
OVERRIDES = Path(__file__).parent.parent / "templates" / "console" / "lists"


class OperatorDoor(BaseAuthProvider):
    """Our sessions; its own login page is not used."""

    async def authenticate(self, request: Request) -> AdminUser | None:
        try:
            operator = await request.app.state.services.operators.operator(operator_token(request))
        except Refusal:
            return None
        request.state.operator = operator
        return AdminUser(operator.name)

    def get_routes(self, templates: Jinja2Templates) -> list[Route]:
        return [Route("/login", _to_login, name="login"), Route("/logout", _to_login, name="logout")]


class Lists(BaseAdmin):
    """starlette-admin with the routes that only read; the others do not exist here."""

    @route("/_api/{key}/action", methods=["POST"], name="action")
    async def handle_action(self, request: Request) -> Response:
        """The export: the only action that a list has."""
        view = self._find_view_by_key(request.path_params["key"])
        if not view.is_accessible(request):
            raise HTTPException(403)
        if not request.query_params.get("name"):
            raise HTTPException(400)
        answer: Response = await super().handle_action(request)
        return answer

    @route("/_api/{key}/row-action", methods=["POST"], name="row-action")
    async def handle_row_action(self, request: Request) -> Response:
        """Named by the page of every list; none has one."""
        raise HTTPException(404)

    def close_what_writes(self) -> None:
        """Before it is mounted."""
        self.routes = [each for each in self.routes if each.name in SERVED]


async def _to_login(request: Request) -> Response:
    return RedirectResponse(LOGIN, 303)


def _waiting(request: Request) -> tuple[str, str] | None:
    """(tone, text) of the message for this page; `Edge` has the browser forget it then."""
    request.state.told = flash.waiting(request)
    return request.state.told


def mount_console(app: Starlette, secret: str) -> BaseAdmin:
    """Below the console's own pages, which are routes of `app` and were added before. `secret` signs its cookies."""
    admin = Lists(
        title="Songda 送达",
        base_url="/console",
        route_name="console",
        templates_dir=str(OVERRIDES),
        auth_provider=OperatorDoor(),
        secret_key=secret,
        middlewares=[Middleware(Edge, parent=app)],
        index_view=CustomView(menu_label="", path="/", add_to_menu=False),
        i18n_config=I18nConfig(default_locale="zh", language_cookie_name=COOKIE, language_header_name=None),
        timezone_config=TimezoneConfig("Asia/Shanghai", timezone_cookie_name=None, use_user_locale_timezone=False),
    )
    admin.templates.env.add_extension(Nonces)
    admin.templates.env.globals |= {"console_frame": frame, "waiting": _waiting}
    for view in LISTS:
        admin.add_view(view)
    admin.close_what_writes()
    admin.mount_to(app)
    return admin
