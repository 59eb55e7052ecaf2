"""A Hub on this machine: takes repositories and small files, and writes down every request.

Files go into the commit itself ("regular" uploads), so no storage has to be imitated.
"""

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeHub:
    """`refuse` maps the beginning of a path to the status it is answered with."""

    def __init__(self):
        self.requests, self.created, self.files = [], [], {}
        self.private, self.refuse, self.endpoint = True, {}, ""


@contextmanager
def fake_hub():
    hub = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *words):
            pass

        def _answer(self, status, value):
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _body(self):
            if self.headers.get("Transfer-Encoding") == "chunked":
                data = b""
                while size := int(self.rfile.readline(), 16):
                    data += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return data
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _handle(self):
            path, body = self.path.partition("?")[0], self._body()
            hub.requests.append((self.command, path, self.headers.get("Authorization")))
            for begin, status in hub.refuse.items():
                if path.startswith(begin):
                    return self._answer(status, {"error": "no"})
            if path == "/api/repos/create":
                hub.created.append(json.loads(body))
                return self._answer(200, {"url": f"{hub.endpoint}/datasets/org/name"})
            if "/preupload/" in path:
                files = [
                    {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for one in json.loads(body)["files"]
                ]
                return self._answer(200, {"files": files})
            if "/commit/" in path:
                for line in body.splitlines():
                    one = json.loads(line)
                    if one["key"] == "file":
                        content = base64.b64decode(one["value"]["content"])
                        hub.files[one["value"]["path"]] = content
                told = {
                    "commitUrl": f"{hub.endpoint}/datasets/org/name/commit/1",
                    "commitOid": "1" * 40,
                }
                return self._answer(200, told)
            info = {"id": "org/name", "private": hub.private, "sha": "0" * 40, "siblings": []}
            return self._answer(200, info)

        do_GET = do_POST = do_HEAD = _handle  # noqa: N815 - http.server's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
