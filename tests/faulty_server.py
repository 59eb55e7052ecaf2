"""A small OpenAI-compatible server that fails as it is told, and counts what it is asked."""

import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Fault(StrEnum):
    NONE = ""
    BUSY = "429"
    BUSY_UNTIL = "429 with Retry-After"
    BROKEN = "500"
    HANG = "hang"
    RESET = "connection reset in mid-answer"
    CUT = "truncated JSON"
    EMPTY = "empty answer"
    WRONG = "wrong language"
    REFUSED = "400"
    NO_KEY = "401"
    NO_RIGHT = "403"
    NO_MODEL = "404"


STATUS = {Fault.BUSY: 429, Fault.BUSY_UNTIL: 429, Fault.BROKEN: 500, Fault.REFUSED: 400}
STATUS |= {Fault.NO_KEY: 401, Fault.NO_RIGHT: 403, Fault.NO_MODEL: 404}


class FaultyServer:
    """Requests are told apart by their `text`, by default all of the last message.

    `pick(asked, number)` says how the `number`-th request with this text ends (from 0);
    `say(asked)` is the right answer. `retry_after` is what Fault.BUSY_UNTIL sends."""

    def __init__(
        self,
        pick: Callable[[str, int], Fault],
        say: Callable[[str], str],
        text: Callable[[str], str] = str,
    ) -> None:
        self.pick, self.say, self.text = pick, say, text
        self.retry_after = "0.05"
        self.hang_s = 5.0
        self.delay_s = 0.0  # before every right answer
        self.seen: Counter[str] = Counter()  # times each text was asked
        self.faults: Counter[Fault] = Counter()
        self.times: list[float] = []
        self.keys: set[str] = set()
        self.bodies: list[dict] = []
        self.under_way = self.most_under_way = 0
        self.lock = threading.Lock()
        self.url = ""

    @contextmanager
    def running(self):
        server = _Server(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def begin(self, asked: str, key: str) -> Fault:
        with self.lock:
            fault = self.pick(asked, self.seen[asked])
            self.seen[asked] += 1
            self.faults[fault] += 1
            self.times.append(time.monotonic())
            self.keys.add(key)
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        return fault

    def end(self) -> None:
        with self.lock:
            self.under_way -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass  # clients that hang up are what some tests are about


def _handler(faulty: FaultyServer):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *unused):
            pass

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            faulty.bodies.append(body)
            asked = faulty.text(body["messages"][-1]["content"])
            fault = faulty.begin(asked, self.headers.get("Authorization", ""))
            try:
                self.answer(fault, asked)
            finally:
                faulty.end()

        def answer(self, fault, asked):
            if fault in STATUS:
                more = {"Retry-After": faulty.retry_after} if fault is Fault.BUSY_UNTIL else {}
                said = self.headers.get("Authorization", "")
                self.send(STATUS[fault], {"error": {"message": f"no: {fault}; {said}"}}, more)
                return
            if fault is Fault.HANG:
                time.sleep(faulty.hang_s)
                self.close_connection = True
                return
            time.sleep(faulty.delay_s)
            text = {Fault.EMPTY: "", Fault.WRONG: asked}.get(fault, faulty.say(asked))
            content = json.dumps(_completion(text), ensure_ascii=False).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            cut = len(content) // 2
            self.send_header("Content-Length", str(cut if fault is Fault.CUT else len(content)))
            self.end_headers()
            if fault is Fault.RESET:
                self.wfile.write(content[:cut])
                self.wfile.flush()
                # linger of 0 s: the connection is reset, not closed
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
                self.close_connection = True
                return
            self.wfile.write(content[:cut] if fault is Fault.CUT else content)

        def send(self, status, payload, more):
            content = json.dumps(payload).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in more.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    return Handler


def _completion(text):
    token = {"token": text, "logprob": -0.5, "bytes": None, "top_logprobs": []}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "served",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
                "logprobs": {"content": [token, token]},
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
    }
