"""A review server over a real batch, a plain HTTP client, and a headless Chromium."""

import base64
import http.client
import json
import os
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest
from PIL import Image

from refine.serve import ReviewServer, ReviewStore


class Client:
    """Asks like the page does; `headers` of a call add to that, and None takes one away."""

    def __init__(self, server):
        self.server = server
        self.host = f"127.0.0.1:{server.port}"
        self.cookie = f"{server.cookie}={server.token}"

    def ask(self, method, path, body=None, headers=None, host=None):
        """Status, headers and body."""
        sent = {"Cookie": self.cookie, "Host": host or self.host}
        if method == "POST":
            sent |= {"Origin": f"http://{self.host}", "Content-Type": "application/json"}
        sent |= headers or {}
        connection = http.client.HTTPConnection(self.host, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            if method == "POST":
                sent = {"Content-Length": str(len(content)), **sent}
            for name, value in sent.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders()
            if method == "POST":
                connection.send(content)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path, **more):
        return self.ask("GET", path, **more)[0]

    def save(self, body, **more):
        status, _, content = self.ask("POST", "/save", body, **more)
        return status, json.loads(content)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "pictures"
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (320, 240), (200, 60, 50)).save(folder / "images" / "a.jpg")
    return folder


@pytest.fixture
def batch(run):
    """The path of a batch with two Urdu rows."""
    run.translated(run.left, run.lost)
    run.refine()
    return run.csv_path()


@contextmanager
def serving(path, lang, reviewer, images_dir):
    store = ReviewStore(path, lang, reviewer)
    with ReviewServer(store, images_dir) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def serve(images):
    return lambda path, lang="ur", reviewer="Ana": serving(path, lang, reviewer, images)


@pytest.fixture
def client(batch, serve):
    with serve(batch) as server:
        yield Client(server)


class Navigated(Exception):
    """The page went elsewhere before it answered."""


class Browser:
    """A headless Chromium, driven by the DevTools protocol over a pipe: no port, no library."""

    def __init__(self, program, folder, dark=False):
        read_here, self._write = os.pipe(), None
        write_here = os.pipe()
        command = ["bash", "-c", f'exec "$@" 3<&{write_here[0]} 4>&{read_here[1]}', "-", program]
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        flags += [f"--user-data-dir={folder}", "--no-first-run", "--disable-dev-shm-usage"]
        flags += ["--window-size=1280,800", "--hide-scrollbars"]
        flags += ["--blink-settings=preferredColorScheme=0"] * dark
        self._process = subprocess.Popen(
            [*command, *flags, "about:blank"],
            pass_fds=(write_here[0], read_here[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write_here[0])
        os.close(read_here[1])
        self._read, self._write = os.fdopen(read_here[0], "rb"), os.fdopen(write_here[1], "wb")
        self._left, self._number, self.logged = b"", 0, []
        target = self.call("Target.getTargets", session=None)["targetInfos"]
        page = next(one for one in target if one["type"] == "page")
        attach = {"targetId": page["targetId"], "flatten": True}
        self._session = self.call("Target.attachToTarget", attach, session=None)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, params=None, session=""):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params or {}}
        if session is not None:
            message["sessionId"] = self._session
        self._write.write(json.dumps(message).encode() + b"\0")
        self._write.flush()
        while True:
            answer = self._next()
            if answer.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.logged.append(answer["params"])
            if answer.get("id") == self._number:
                if "navigated" in answer.get("error", {}).get("message", ""):
                    raise Navigated
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self):
        while b"\0" not in self._left:
            more = os.read(self._read.fileno(), 65536)
            assert more, "Chromium ended"
            self._left += more
        message, _, self._left = self._left.partition(b"\0")
        return json.loads(message)

    def open(self, url):
        self.call("Page.navigate", {"url": url})
        self.wait("document.body && document.body.dataset.ready === 'yes'")

    def eval(self, expression):
        wanted = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        return self.call("Runtime.evaluate", wanted)["result"].get("value")

    def wait(self, expression, timeout_s=30):
        until = time.monotonic() + timeout_s
        while not self._holds(expression):
            assert time.monotonic() < until, f"never true: {expression}"
            time.sleep(0.02)

    def _holds(self, expression):
        try:
            return self.eval(expression)
        except Navigated:
            return False

    def key(self, key, code=None, modifiers=0):
        """Presses and releases a key; `code` is its place on the keyboard."""
        code = code or (f"Key{key.upper()}" if len(key) == 1 and key.isascii() else key)
        number = ord(key.upper()) if len(key) == 1 else {"Enter": 13, "Escape": 27}.get(key, 0)
        one = {"key": key, "code": code, "modifiers": modifiers, "windowsVirtualKeyCode": number}
        if len(key) == 1 and not modifiers:
            one["text"] = key
        self.call("Input.dispatchKeyEvent", {"type": "keyDown", **one})
        one.pop("text", None)
        self.call("Input.dispatchKeyEvent", {"type": "keyUp", **one})

    def type(self, text):
        """Key by key, as an Urdu layout sends them."""
        for letter in text:
            self.key(letter, code="Unidentified")

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", {"format": "png"})["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self):
        self._process.terminate()
        self._process.wait(timeout=20)
        self._read.close()
        self._write.close()


@pytest.fixture
def browser(chromium, tmp_path):
    one = Browser(chromium, tmp_path / "chromium")
    try:
        yield one
    finally:
        one.close()
