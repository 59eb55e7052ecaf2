"""The review page: what a reviewer decides on it, kept on disk, and the ASGI app that shows it.

Every decision replaces a CSV of the reviewer's own, beside the exported one, in one step, so a
crash loses nothing and opening the page again goes on where it stopped. The exported file, which
may be open in a spreadsheet, is only read. What was typed and not decided waits in a drafts file:
an undecided row is no business of intake.

The app has a few fixed addresses, for one browser on this machine. Who may ask: only who knows
the token of this start (in the printed address, then in a cookie that no other site's requests
carry), under a name of this machine (a foreign name may point here, too), and, to change
anything, from the page itself.
"""

import ipaddress
import re
import secrets
import socket
import threading
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from palo.errors import UserError, unknown
from palo.files import read_json, replaced, write_json
from palo.languages import info
from palo.pages import rendered
from refine.intake import Decision, ReviewedTurn, decide
from refine.review_file import (
    ErrorType,
    ReviewRow,
    ReviewVerdict,
    parse_review_id,
    read_review,
    review_csvs,
    too_long,
    write_review,
)

UNNAMED = "page"  # stands in file names for a reviewer who gave no name
_EXPORTED = re.compile(r"[a-z]+-\d+")  # `batch-0001`, not `batch-0001.ana`
_SIDECAR = "errors"  # `batch-0001.errors.csv` is intake's
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


class Unsaved(UserError):
    """A decision that intake would refuse; `column` is where the fault lies."""

    def __init__(self, column: str, text: str) -> None:
        super().__init__(text)
        self.column = column


class RowEntry(BaseModel):
    """What the reviewer filled in for one row, as the page sends it; verdict "" is undecided."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    verdict: str = ""
    correction: str = ""
    error_type: str = ""
    all_copies: str = ""
    note: str = ""


def own_path(exported: Path, reviewer: str) -> Path:
    """`batch-0001.ana.csv`: one file a reviewer, whatever their name is written with."""
    slug = re.sub(r"\W+", "-", reviewer.casefold()).strip("-_") or UNNAMED
    slug = f"{slug}-1" if slug == _SIDECAR else slug[:60]
    return exported.with_name(f"{exported.stem}.{slug}.csv")


def find_batch(folder: Path, lang: str, name: str | None, reviewer: str) -> Path:
    """By name, or the first with rows that nobody here has decided. Raises UserError for none."""
    batches = [path for path in review_csvs(folder) if _EXPORTED.fullmatch(path.stem)]
    if not batches:
        raise UserError(
            f"No review batch of '{lang}' in {folder}. Run `palo refine --lang {lang}` first."
        )
    if name is not None:
        named = {path.stem: path for path in batches}
        wanted = name.removesuffix(".csv")
        if wanted not in named:
            raise unknown("batch", wanted, named, "batches")
        return named[wanted]
    for path in batches:
        store = ReviewStore(path, lang, reviewer)
        done = {key for key, entry in store.entries().items() if entry.verdict}
        if any(row.id not in done | store.decided_elsewhere().keys() for row in store.rows):
            return path
    names = " ".join(path.stem for path in batches)
    raise UserError(
        f"Every row of '{lang}' is decided ({names}). Run `palo refine --lang {lang}` to take the "
        f"decisions in, or look at a batch again with --batch {batches[-1].stem}."
    )


class ReviewStore:
    """The rows of one exported batch and one reviewer's decisions; safe to use from threads."""

    def __init__(self, exported: Path, lang: str, reviewer: str) -> None:
        self.exported, self.lang, self.reviewer = exported, lang, reviewer
        self.path = own_path(exported, reviewer)
        self.drafts_path = self.path.with_name(f".{self.path.stem}.drafts.json")
        self._lock = threading.RLock()
        read = read_review(exported)
        if not read.rows:
            why = "; ".join(problem.problem for problem in read.problems) or "it has no rows"
            raise UserError(f"{exported} cannot be reviewed: {why}.")
        self._by_id: dict[str, ReviewRow] = {}
        for row in read.rows:
            self._by_id.setdefault(row.id, row)
        self.rows = tuple(self._by_id.values())

    def entries(self) -> dict[str, RowEntry]:
        """Decisions and drafts by row id; a draft is younger than the decision it belongs to."""
        with self._lock:
            own, drafts = self._own_rows(), self._drafts()
        entries = {
            key: RowEntry.model_validate(row, from_attributes=True) for key, row in own.items()
        }
        for key, draft in drafts.items():
            verdict = own[key].verdict if key in own else ""
            entries[key] = draft.model_copy(update={"verdict": verdict})
        return entries

    def num_decided(self) -> int:
        return sum(bool(entry.verdict) for entry in self.entries().values())

    def decided_elsewhere(self) -> dict[str, str]:
        """Verdicts that the exported file holds by now, by row id; "edited" where there is none."""
        touched = [row for row in read_review(self.exported).rows if not row.untouched]
        return {row.id: row.verdict.strip() or "edited" for row in touched}

    def save(self, row_id: str, entry: RowEntry) -> RowEntry:
        """Keeps the entry on disk and returns what stands there.

        What was typed is kept in any case. Raises Unsaved for a verdict that intake would refuse;
        a decision made before then stands as it was. UserError where the row is unknown, or
        another program has left the reviewer's own file unreadable.
        """
        if row_id not in self._by_id:
            raise UserError(f"No row '{row_id}' in {self.exported.name}.")
        with self._lock:
            own, drafts = self._own_rows(), self._drafts()
            drafts[row_id] = entry.model_copy(update={"verdict": ""})
            self._write_drafts(drafts)
            before = own.get(row_id)
            if entry.verdict:
                own[row_id] = self._decided(self._by_id[row_id], entry)
            else:
                own.pop(row_id, None)
            if own.get(row_id) != before:
                self._write_own(own)
            if entry.verdict and own[row_id].correction == entry.correction:
                del drafts[row_id]
                self._write_drafts(drafts)
            return self.entries().get(row_id, RowEntry())

    def _decided(self, row: ReviewRow, entry: RowEntry) -> ReviewRow:
        """The row as intake will read it, checked by what intake checks with."""
        fixed = entry.verdict == ReviewVerdict.FIX
        kept = entry if fixed else entry.model_copy(update={"correction": ""})
        filled = replace(row, **kept.model_dump(), reviewer=self.reviewer)
        if column := too_long(filled):
            raise Unsaved(column, f"'{column}' is longer than a spreadsheet cell can be")
        if fixed and entry.correction.strip() == row.translation.strip():
            raise Unsaved("correction", "the correction is the translation itself: accept it")
        key = parse_review_id(row.id)
        # the page has no shards: the exported texts stand for the turn
        turn = ReviewedTurn(*key, row.english, "", (row.translation,)) if key else None
        outcome = decide(replace(filled, file=self.path.name, line=0), self.lang, turn)
        if not isinstance(outcome, Decision):
            raise Unsaved(outcome[0].column, "; ".join(problem.problem for problem in outcome))
        return filled

    def _own_rows(self) -> dict[str, ReviewRow]:
        """Read anew each time: the reviewer may have changed the file by other means."""
        if not self.path.is_file():
            return {}
        read = read_review(self.path)
        if read.problems:
            raise UserError(
                f"{self.path} was changed by another program and cannot be read: "
                f"{read.problems[0].problem}. Mend it or move it away; nothing was overwritten."
            )
        return {row.id: row for row in read.rows}

    def _write_own(self, rows: dict[str, ReviewRow]) -> None:
        if not rows:
            self.path.unlink(missing_ok=True)
            return
        places = {row.id: at for at, row in enumerate(self.rows)}
        ordered = sorted(rows.values(), key=lambda row: places.get(row.id, len(places)))
        with replaced(self.path) as temporary:
            temporary.unlink(missing_ok=True)  # of a process that was killed
            write_review(temporary, ordered)

    def _drafts(self) -> dict[str, RowEntry]:
        return {key: RowEntry(**value) for key, value in read_json(self.drafts_path, {}).items()}

    def _write_drafts(self, drafts: dict[str, RowEntry]) -> None:
        kept = {key: draft.model_dump() for key, draft in drafts.items() if draft != RowEntry()}
        if kept:
            write_json(self.drafts_path, kept)
        else:
            self.drafts_path.unlink(missing_ok=True)


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
        if not self.is_own_name(request.headers.get("host", "")):
            response = _refused(HTTPException(421, "not a name of this server"))
        elif reason := self._forbidden(request):
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
        language, store = info(self.store.lang), self.store
        response = HTMLResponse(
            rendered("refine.serve", "page.html.j2", language=language, store=store)
        )
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
        return JSONResponse({"entry": saved.model_dump(), "decided": self.store.num_decided()})


def _refused(error: HTTPException) -> Response:
    headers = {"Connection": "close"}  # a body may be unread
    return JSONResponse({"problem": error.detail}, error.status_code, headers=headers)
