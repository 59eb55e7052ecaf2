"""The review page as an ASGI app: a few fixed addresses, for one browser on this machine.

Who may ask: only who knows the token of this start (in the printed address, then in a cookie that
no other site's requests carry), under a name of this machine (a foreign name may point here, too),
and, to change anything, from the page itself.
"""

import ipaddress
import secrets
import socket
from contextlib import AbstractContextManager, suppress
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from jinja2 import Environment, PackageLoader
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from palo.errors import UserError
from palo.languages import info
from refine.review_file import ErrorType
from refine.serve.store import ReviewStore, RowEntry, Unsaved

MAX_BODY_BYTES = 512 * 1024  # two full spreadsheet cells, every character as \uXXXX
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_STATIC = {"page.js": "text/javascript", "page.css": "text/css"}
_IMAGES = {f".{kind}": f"image/{kind}" for kind in ("png", "jpeg", "gif", "webp", "bmp")}
_IMAGES[".jpg"] = "image/jpeg"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class _Posted(RowEntry):
    id: str


class ReviewServer(AbstractContextManager["ReviewServer"]):
    """Serves one store; a context manager. Port 0 takes a free one; `url` holds the token."""

    def __init__(
        self, store: ReviewStore, images_dir: Path | None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.store, self.images_dir, self.host = store, images_dir, host
        self.token = secrets.token_urlsafe(32)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family)
        except (OSError, OverflowError) as error:
            raise UserError(
                f"Cannot listen on {host} port {port}: {error}. Use --port 0 for a free port."
            ) from None
        self.address, self.port = self._socket.getsockname()[:2]
        # cookies know no ports: each server has a name of its own
        self.cookie = f"palo_review_{self.port}"
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}/?token={self.token}"
        no_icon = Response(status_code=204)  # every browser asks; a 404 would stand in its log
        routes = [
            Route("/", self._page),
            Route("/static/{name}", self._static),
            Route("/favicon.ico", lambda request: no_icon),
            Route("/batch", self._batch),
            Route("/image/{number}", self._image),
            Route("/save", self._save, methods=["POST"]),
        ]
        app = Starlette(
            routes=routes,
            middleware=[Middleware(BaseHTTPMiddleware, dispatch=self._guarded)],
            exception_handlers={HTTPException: lambda _, error: _refused(error)},
        )
        app.router.redirect_slashes = False
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # and no access log: addresses hold the token
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=30,
        )
        self._server = uvicorn.Server(config)

    def __exit__(self, *unused: object) -> None:
        self._socket.close()

    def serve_forever(self) -> None:
        """Until `shutdown`, or KeyboardInterrupt."""
        self._server.run(sockets=[self._socket])

    def shutdown(self) -> None:
        self._server.should_exit = True

    async def _guarded(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        reason = self._forbidden(request)
        if not self.is_own_name(request.headers.get("host", "")):
            response = _refused(HTTPException(421, "not a name of this server"))
        elif reason:
            response = _refused(HTTPException(403, reason))
        else:
            response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    def is_own_name(self, authority: str) -> bool:
        """Whether a Host header names this machine, not a foreign name that points to it."""
        try:
            parts = urlsplit(f"//{authority}")
            name, port = (parts.hostname or "").lower(), parts.port or 80
        except ValueError:
            return False
        if port != self.port:
            return False
        if name in LOOPBACK or name == self.host.lower():
            return True
        if self.host in LOOPBACK:
            return False
        with suppress(ValueError):
            ipaddress.ip_address(name)
            return True
        return name == socket.gethostname().lower()

    def _forbidden(self, request: Request) -> str | None:
        """Why this may not be asked, or None."""
        if request.method == "GET" and request.scope["path"] == "/" and request.query_params:
            given = request.query_params.get("token", "")
            return None if self._is_token(given) else "wrong token: use the address palo printed"
        if not self._is_token(request.cookies.get(self.cookie, "")):
            return "open the address that palo printed"
        if request.method != "GET" and (
            request.headers.get("origin") != f"http://{request.headers.get('host')}"
            or request.headers.get("sec-fetch-site", "same-origin") != "same-origin"
        ):
            return "only the page itself may save"
        return None

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())

    def _page(self, request: Request) -> Response:
        environment = Environment(loader=PackageLoader("refine.serve", "."), autoescape=True)
        store = self.store
        page = environment.get_template("page.html.j2").render(
            language=info(store.lang), batch=store.exported.stem, file=store.path.name
        )
        response = HTMLResponse(page)
        if request.query_params:
            cookie = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"
            response.headers["Set-Cookie"] = cookie
        return response

    def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            raise HTTPException(404)
        content = resources.files("refine.serve").joinpath(name).read_bytes()
        return Response(content, media_type=_STATIC[name])

    def _batch(self, request: Request) -> Response:
        """All that the page shows, read from disk."""
        store, language = self.store, info(self.store.lang)
        try:
            entries, elsewhere = store.entries(), store.decided_elsewhere()
        except UserError as error:
            raise HTTPException(409, str(error)) from None
        shown = ("id", "image", "previous", "english", "translation", "reasons")
        content = {
            "lang": store.lang,
            "language": language.name,
            "rtl": language.right_to_left,
            "batch": store.exported.stem,
            "reviewer": store.reviewer,
            "error_types": list(ErrorType),
            "rows": [
                {
                    **{name: getattr(row, name) for name in shown},
                    "elsewhere": elsewhere.get(row.id, ""),
                    **entries.get(row.id, RowEntry()).model_dump(),
                }
                for row in store.rows
            ],
        }
        return JSONResponse(content)

    def _image(self, request: Request) -> Response:
        """The picture of a row; none that lies, or leads, outside the folder."""
        number = request.path_params["number"]
        if not number.isdecimal() or int(number[:9]) >= len(self.store.rows) or not self.images_dir:
            raise HTTPException(404, "no such picture")
        name = self.store.rows[int(number[:9])].image
        try:
            root = self.images_dir.resolve(strict=True)
            path = (root / name).resolve(strict=True)
        except (OSError, ValueError):
            raise HTTPException(404, f"no picture {name}") from None
        if not path.is_relative_to(root) or not path.is_file():
            raise HTTPException(404, "the picture is not in the images folder")
        if path.suffix.lower() not in _IMAGES:
            raise HTTPException(404, "not a picture")
        return Response(path.read_bytes(), media_type=_IMAGES[path.suffix.lower()])

    async def _save(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HTTPException(415, "send JSON")
        length = request.headers.get("content-length", "")
        if "transfer-encoding" in request.headers or not length.isdecimal():
            raise HTTPException(411, "say how long the body is")
        if int(length[:12]) > MAX_BODY_BYTES:
            raise HTTPException(413, "the text is too long")
        try:
            posted = _Posted.model_validate_json(await request.body())
        except ValidationError:
            raise HTTPException(400, "not what the page sends") from None
        entry = RowEntry(**posted.model_dump(exclude={"id"}))
        try:
            saved = await run_in_threadpool(self.store.save, posted.id, entry)
        except Unsaved as refused:
            return JSONResponse({"problem": str(refused), "column": refused.column}, 422)
        except UserError as error:
            raise HTTPException(409, str(error)) from None
        except OSError as error:
            raise HTTPException(500, f"not saved: {error}") from None
        content = {"entry": saved.model_dump(), "decided": self.store.num_decided()}
        return JSONResponse(content)


def _refused(error: HTTPException) -> Response:
    # a body may be unread
    headers = {"Connection": "close"}
    return JSONResponse({"problem": error.detail}, error.status_code, headers=headers)
