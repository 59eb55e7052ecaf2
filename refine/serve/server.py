"""The HTTP side of the review page: a few fixed addresses, for one browser on this machine.

Who may ask: only who knows the token of this start (in the printed address, then in a cookie that
no other site's requests carry), under a name of this machine (a foreign name may point here, too),
and, to change anything, from the page itself.
"""

import ipaddress
import json
import secrets
import socket
from dataclasses import asdict
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jinja2 import Environment, PackageLoader
from pydantic import BaseModel, ConfigDict, ValidationError

from palo.errors import UserError
from palo.languages import info
from refine.review_file import ErrorType
from refine.serve.store import Entry, ReviewStore, Unsaved, num_decided

MAX_BODY_BYTES = 512 * 1024  # two full spreadsheet cells, every character as \uXXXX
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_STATIC = {"page.js": "text/javascript", "page.css": "text/css"}
_IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
}
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


class _Posted(BaseModel):
    """What the page sends for one row."""

    model_config = ConfigDict(strict=True, extra="forbid")

    id: str
    verdict: str = ""
    correction: str = ""
    error_type: str = ""
    all_copies: str = ""
    note: str = ""


class Refusal(Exception):
    """An answer that ends a request early."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class ReviewServer(ThreadingHTTPServer):
    """Serves one store. Port 0 takes a free one; `url` holds the token."""

    daemon_threads = True

    def __init__(
        self, store: ReviewStore, images_dir: Path | None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.store, self.images_dir, self.host = store, images_dir, host
        self.token = secrets.token_urlsafe(32)
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise UserError(
                f"Cannot listen on {host} port {port}: {error}. Use --port 0 for a free port."
            ) from None

    @property
    def url(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{shown}:{self.server_port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """Cookies know no ports: each server has a name of its own."""
        return f"palo_review_{self.server_port}"

    def is_own_name(self, authority: str) -> bool:
        """Whether a Host header names this machine, not a foreign name that points to it."""
        try:
            parts = urlsplit(f"//{authority}")
            name, port = (parts.hostname or "").lower(), parts.port or 80
        except ValueError:
            return False
        if port != self.server_port:
            return False
        if name in LOOPBACK or name == self.host.lower():
            return True
        if self.host in LOOPBACK:
            return False
        return name == socket.gethostname().lower() or _is_address(name)

    def image_path(self, number: int) -> Path:
        """The picture of a row. Raises Refusal for what lies, or leads, outside the folder."""
        if not 0 <= number < len(self.store.rows) or self.images_dir is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "no such picture")
        name = self.store.rows[number].image
        try:
            root = self.images_dir.resolve(strict=True)
            path = (root / name).resolve(strict=True)
        except (OSError, ValueError):
            raise Refusal(HTTPStatus.NOT_FOUND, f"no picture {name}") from None
        if not path.is_relative_to(root) or not path.is_file():
            raise Refusal(HTTPStatus.NOT_FOUND, "the picture is not in the images folder")
        if path.suffix.lower() not in _IMAGES:
            raise Refusal(HTTPStatus.NOT_FOUND, "not a picture")
        return path

    def batch(self) -> dict[str, Any]:
        """All that the page shows, read from disk."""
        entries, elsewhere = self.store.entries(), self.store.decided_elsewhere()
        language = info(self.store.lang)
        return {
            "lang": self.store.lang,
            "language": language.name,
            "rtl": language.right_to_left,
            "batch": self.store.exported.stem,
            "reviewer": self.store.reviewer,
            "error_types": [str(one) for one in ErrorType],
            "rows": [
                {
                    "id": row.id,
                    "image": row.image,
                    "previous": row.previous,
                    "english": row.english,
                    "translation": row.translation,
                    "reasons": row.reasons,
                    "elsewhere": elsewhere.get(row.id, ""),
                    **asdict(entries.get(row.id, Entry())),
                }
                for row in self.store.rows
            ],
        }


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "palo", ""
    timeout = 30  # of an idle connection, in seconds

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, handle: Any) -> None:
        try:
            if not self.server.is_own_name(self.headers.get("Host", "")):
                raise Refusal(HTTPStatus.MISDIRECTED_REQUEST, "not a name of this server")
            handle(urlsplit(self.path))
        except Refusal as refusal:
            self.close_connection = True  # a body may be unread
            self._json(refusal.status, {"problem": refusal.reason})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _get(self, address: Any) -> None:
        if address.path == "/" and address.query:
            given = parse_qs(address.query).get("token", [""])[0]
            if not self._is_token(given):
                raise Refusal(HTTPStatus.FORBIDDEN, "wrong token: use the address palo printed")
            self._page({"Set-Cookie": self._cookie()})
            return
        self._check_cookie()
        path = address.path
        if path == "/":
            self._page({})
        elif path.startswith("/static/") and path.removeprefix("/static/") in _STATIC:
            name = path.removeprefix("/static/")
            content = resources.files("refine.serve").joinpath(name).read_bytes()
            self._send(HTTPStatus.OK, _STATIC[name], content)
        elif path == "/favicon.ico":  # every browser asks; a 404 would stand in its log
            self._send(HTTPStatus.NO_CONTENT, "image/x-icon", b"")
        elif path == "/batch":
            try:
                self._json(HTTPStatus.OK, self.server.batch())
            except UserError as error:
                raise Refusal(HTTPStatus.CONFLICT, str(error)) from None
        elif path.startswith("/image/") and path.removeprefix("/image/").isdecimal():
            picture = self.server.image_path(int(path.removeprefix("/image/")[:9]))
            self._send(HTTPStatus.OK, _IMAGES[picture.suffix.lower()], picture.read_bytes())
        else:
            raise Refusal(HTTPStatus.NOT_FOUND, "no such address")

    def _post(self, address: Any) -> None:
        self._check_cookie()
        host = self.headers["Host"]
        if self.headers.get("Origin") != f"http://{host}":
            raise Refusal(HTTPStatus.FORBIDDEN, "only the page itself may save")
        if self.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise Refusal(HTTPStatus.FORBIDDEN, "only the page itself may save")
        if address.path != "/save":
            raise Refusal(HTTPStatus.NOT_FOUND, "no such address")
        if self.headers.get_content_type() != "application/json":
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON")
        posted = self._posted()
        entry = Entry(**posted.model_dump(exclude={"id"}))
        store = self.server.store
        try:
            saved = store.save(posted.id, entry)
        except Unsaved as refused:
            said = {"problem": str(refused), "column": refused.column}
            self._json(HTTPStatus.UNPROCESSABLE_ENTITY, said)
            return
        except UserError as error:
            raise Refusal(HTTPStatus.CONFLICT, str(error)) from None
        except OSError as error:
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, f"not saved: {error}") from None
        self._json(
            HTTPStatus.OK,
            {"entry": asdict(saved), "decided": num_decided(store.entries().values())},
        )

    def _posted(self) -> _Posted:
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") or not length.isdecimal():
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "say how long the body is")
        if int(length[:12]) > MAX_BODY_BYTES:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the text is too long")
        try:
            return _Posted.model_validate(json.loads(self.rfile.read(int(length))))
        except (ValueError, RecursionError, ValidationError):
            raise Refusal(HTTPStatus.BAD_REQUEST, "not what the page sends") from None

    def _check_cookie(self) -> None:
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(self.server.cookie)
        except CookieError:
            found = None
        if found is None or not self._is_token(found.value):
            raise Refusal(HTTPStatus.FORBIDDEN, "open the address that palo printed")

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.server.token.encode())

    def _cookie(self) -> str:
        return f"{self.server.cookie}={self.server.token}; Path=/; HttpOnly; SameSite=Strict"

    def _page(self, more: dict[str, str]) -> None:
        environment = Environment(loader=PackageLoader("refine.serve", "."), autoescape=True)
        store = self.server.store
        language = info(store.lang)
        text = environment.get_template("page.html.j2").render(
            language=language, batch=store.exported.stem, file=store.path.name
        )
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", text.encode(), more)

    def _json(self, status: HTTPStatus, said: dict[str, Any]) -> None:
        content = json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")
        self._send(status, "application/json; charset=utf-8", content)

    def _send(
        self, status: HTTPStatus, kind: str, content: bytes, more: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, **(more or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *unused: Any) -> None:
        """Silent: addresses hold the token."""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
