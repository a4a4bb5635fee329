"""The dashboard's server: what each address shows, and to whom; nothing runs in a page."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

from bot.dashboard.charts import days_chart, interval, rates_chart
from bot.dashboard.deciding import Deciding, outcome
from bot.dashboard.pages import LISTED, Pages
from bot.dashboard.viewers import (
    ENTER,
    LANGUAGE_COOKIE,
    LANGUAGES,
    LEAVE,
    Door,
    Viewer,
    is_from_here,
    language_of,
)
from bot.slack.incoming.web import BODY_S, ODD
from bot.store.connection import StoreError
from bot.store.database import Database
from bot.strings import strings_for
from retrieval.errors import RetrievalError
from retrieval.records import PUBLIC

logger = logging.getLogger(__name__)

HERE = Path(__file__).parent
FILES = {"style.css": "text/css", "icon.svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with `no-referrer`, our own forms say `Origin: null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""No page runs a script, loads anything from elsewhere, is framed, or stays in a cache."""

MENU = (
    ("/", "overview"),
    ("/gaps", "gaps"),
    ("/sources", "sources"),
    ("/queue", "queue"),
    ("/models", "models"),
    ("/questions", "questions"),
    ("/audit", "audit"),
    ("/reviews", "reviews"),
)
ADMINS = frozenset({"questions", "audit", "queue", "models"})
"""Pages that tell of single people's doings, or of the machine."""

NEWEST = "9999"
MAX_FORM = 64 * 2**10

Show = Callable[["Look"], Awaitable[web.StreamResponse]]


class Look:
    """One look at one page."""

    def __init__(self, request: web.Request, viewer: Viewer, *, shows_text: bool) -> None:
        self.request = request
        self.viewer = viewer
        self.readers = viewer.labels if shows_text else frozenset({PUBLIC})
        self.is_private = self.readers != frozenset({PUBLIC})
        self.language = language_of(request)
        self.strings = strings_for(self.language)

    def number(self, name: str, default: int) -> int:
        """A number in the address."""
        given = self.request.query.get(name, "")
        return int(given) if given.isdecimal() and len(given) < 16 else default

    @property
    def days(self) -> int:
        """How many days the page is about, within what can be drawn."""
        return min(max(self.number("days", 30), 1), 366)


class Dashboard:
    """Answers browsers; everything is read from a database that it cannot write to."""

    def __init__(
        self,
        pages: Pages,
        database: Database,
        door: Door,
        deciding: Deciding | None,
        *,
        hosts: Callable[[], frozenset[str]],
        shows_text: bool = False,
    ) -> None:
        self._pages = pages
        self._database = database
        self._door = door
        self._deciding = deciding
        self._hosts = hosts
        self._shows_text = shows_text
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
        )

    def app(self) -> web.Application:
        """The application, to be served."""
        app = web.Application(middlewares=[self._guard], client_max_size=MAX_FORM)
        for name, kind in FILES.items():
            app.router.add_get(f"/{name}", partial(_file, name, kind))
        app.router.add_get(ENTER, self._door.enter, allow_head=False)
        app.router.add_post(LEAVE, self._door.leave)
        shown: dict[str, tuple[str, Show]] = {
            "/": ("overview", self._overview),
            "/gaps": ("gaps", self._gaps),
            "/sources": ("sources", self._sources),
            "/queue": ("queue", self._queue),
            "/models": ("models", self._models),
            "/models/{run}/gate.png": ("models", self._picture),
            "/questions": ("questions", self._questions),
            "/questions/{turn}": ("questions", self._way),
            "/audit": ("audit", self._audit),
            "/reviews": ("reviews", self._review_list),
        }
        for path, (name, show) in shown.items():
            app.router.add_get(path, partial(self._shown, name, show))
        app.router.add_post(
            r"/reviews/{review:\d{1,15}}", partial(self._shown, "reviews", self._decide)
        )
        return app

    @web.middleware
    async def _guard(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Refuse what came for another host, and let every answer say what browsers may do."""
        if request.headers.getall("Host", []) != [request.host] or (
            request.host.lower() not in self._hosts()
        ):
            # A name that leads here, or is made to, but is not ours: DNS rebinding.
            response: web.StreamResponse = web.Response(status=421, text="This is no host here.\n")
        else:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                error.headers.update(HEADERS)
                raise
        response.headers.update(HEADERS)
        return response

    async def _shown(self, name: str, show: Show, request: web.Request) -> web.StreamResponse:
        viewer = await self._door.viewer(request)
        if viewer is None or (name in ADMINS and not viewer.is_admin):
            texts = strings_for(language_of(request)).dashboard
            raise web.HTTPForbidden(text=texts["forbidden"])
        look = Look(request, viewer, shows_text=self._shows_text)
        try:
            response = await show(look)
        except (RetrievalError, StoreError) as error:
            logger.warning("cannot show %s: %s", name, error)
            response = self._page(look, "problem", problem=look.strings.dashboard["failed"])
            response.set_status(500)
        if request.query.get("lang") in LANGUAGES:
            response.set_cookie(LANGUAGE_COOKIE, look.language, samesite="Strict", httponly=True)
        return response

    def _page(self, look: Look, template: str, **values: Any) -> web.Response:  # noqa: ANN401
        name = next((name for path, name in MENU if path == look.request.path), template)
        menu = [(path, page) for path, page in MENU if look.viewer.is_admin or page not in ADMINS]
        html = self._templates.get_template(f"{template}.html").render(
            t=look.strings.dashboard,
            page=name,
            menu=menu,
            language=look.language,
            is_private=look.is_private,
            interval=interval,
            listed=LISTED,
            **values,
        )
        return web.Response(text=html, content_type="text/html")

    async def _overview(self, look: Look) -> web.Response:
        days, texts = look.days, look.strings.dashboard
        report, points = await self._read(self._pages.report, look.readers, days=days)
        words = {name: texts[name] for name in ("answered", "abstained")}
        series = (texts["answered"], texts["useful"])
        return self._page(
            look,
            "overview",
            report=report,
            points=points,
            days_chart=days_chart(report.daily, title=texts["by_day"], **words),
            rates_chart=rates_chart(points, title=texts["over_time"], series=series),
        )

    async def _gaps(self, look: Look) -> web.Response:
        tells_all = look.is_private and look.viewer.is_admin
        report = await self._read(
            self._pages.gaps, look.readers, days=look.days, tells_all=tells_all
        )
        return self._page(look, "gaps", report=report)

    async def _sources(self, look: Look) -> web.Response:
        report, _ = await self._read(self._pages.report, look.readers, days=90)
        sources = await self._read(self._pages.sources)
        index = await self._read(self._pages.index)
        return self._page(look, "sources", report=report, sources=sources, index=index)

    async def _queue(self, look: Look) -> web.Response:
        backlog, counts = await self._read(self._pages.queue)
        return self._page(look, "queue", backlog=backlog, counts=counts)

    async def _models(self, look: Look) -> web.Response:
        return self._page(look, "models", standing=await self._read(self._pages.standing))

    async def _picture(self, look: Look) -> web.Response:
        path = await self._read(self._pages.picture, look.request.match_info["run"])
        if path is None:
            raise web.HTTPNotFound(text=look.strings.dashboard["not_found"])
        return web.Response(body=path.read_bytes(), content_type="image/png")

    async def _questions(self, look: Look) -> web.Response:
        before = look.request.query.get("before", NEWEST)
        ways = self._pages.ways
        rows = await self._read(ways.latest, look.readers, before=before, limit=LISTED)
        return self._page(look, "questions", rows=rows)

    async def _way(self, look: Look) -> web.Response:
        turn = look.request.match_info["turn"]
        way = await self._read(self._pages.ways.of, turn, look.readers)
        if way is None:
            raise web.HTTPNotFound(text=look.strings.dashboard["not_found"])
        return self._page(look, "way", way=way)

    async def _audit(self, look: Look) -> web.Response:
        before = look.number("before", 10**15)
        rows = await self._read(self._pages.audit, look.readers, before=before)
        return self._page(look, "audit", rows=rows)

    async def _review_list(self, look: Look) -> web.Response:
        access = look.viewer.access
        if access is None:
            return self._page(look, "reviews", is_named=False)
        reviews, count = await self._read(self._pages.reviews, access, look.readers)
        choices = {
            review.id: await self._read(self._pages.choices, review, access, look.readers)
            for review in reviews
        }
        said = look.request.query.get("said", "")
        return self._page(
            look,
            "reviews",
            is_named=True,
            reviews=reviews,
            choices=choices,
            withheld=count - len(reviews),
            origins=look.strings.review.proposal_sources,
            csrf=look.viewer.csrf,
            said=said if said in ("approved", "rejected", "taken", "handed") else "",
        )

    async def _decide(self, look: Look) -> web.StreamResponse:
        access = look.viewer.access
        said = await _form(look.request)
        if access is None or self._deciding is None or not _is_ours(look, said):
            raise web.HTTPForbidden(text=look.strings.dashboard["forbidden"])
        number = int(look.request.match_info["review"])
        find = partial(self._pages.review, number, access, look.readers)
        review = await self._read(find)
        if review is None:
            raise web.HTTPNotFound(text=look.strings.dashboard["not_found"])
        act = said.get("act", "")
        try:
            await self._deciding.decide(act, review, look.viewer.person, said)
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        now = await outcome(act, lambda: ((found := find()) and found.state) or "")
        raise web.HTTPSeeOther(f"/reviews?said={now}")

    async def _read(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return await self._database.run(call, *args, **kwargs)


async def _file(name: str, kind: str, _: web.Request) -> web.Response:
    return web.Response(text=(HERE / name).read_text("utf-8"), content_type=kind)


async def _form(request: web.Request) -> dict[str, str]:
    """What a form says."""
    try:
        async with asyncio.timeout(BODY_S):
            return {name: str(value) for name, value in (await request.post()).items()}
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    except ODD as error:
        raise web.HTTPBadRequest(text="The form cannot be read.\n") from error


def _is_ours(look: Look, form: Mapping[str, str]) -> bool:
    """Whether a form was one of our pages', and was sent from there."""
    shown = form.get("csrf", "").encode(errors="replace")
    return is_from_here(look.request) and hmac.compare_digest(shown, look.viewer.csrf.encode())
