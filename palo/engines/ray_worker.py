"""What runs inside each Ray actor of the `ray` engine: an engine, an inbox and an outbox.

The engine runs in a thread of its own, so that the actor answers at once while it works: one that
does not is lost. Knows nothing of Ray.
"""

import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from palo.engines.open import Weights, open_engine
from palo.engines.stream import Engine, Request, Result
from palo.errors import UserError
from palo.settings.translate import EngineKind, TranslatorSettings

_REASON_CHARS = 500
_GATHER_S = 0.01  # results of one step of the model come together


class Worker:
    """The driver counts what it gives. Calls may overtake one another on their way here."""

    def __init__(self, kind: EngineKind, weights: Weights, settings: TranslatorSettings) -> None:
        self._kind, self._weights, self._settings = kind, weights, settings
        self._engine: Engine | None = None
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._inbox: deque[Request] = deque()
        self._outbox: list[Result] = []
        self._taken_in = 0  # requests, ever
        self._rest_at = 0  # after so many of them the driver has no more for now
        self._ended = ""
        self._closed = False

    def open(self, wanted: str) -> str:
        """ "" once it can work, or why this node can't: `wanted` is the signature of the run."""
        try:
            self._engine = open_engine(self._kind, self._weights, self._settings)
        except UserError as error:
            return f"{socket.gethostname()}: {error}"
        found = str(self._engine.signature)
        if found != wanted:
            return (
                f"{socket.gethostname()}: its copy of model {self._weights.model} is another one "
                f"('{found}' there, '{wanted}' here): copy the same files there"
            )
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()
        return ""

    def give(self, requests: list[Request], rest_at: int) -> None:
        """`rest_at`: the driver has nothing more for now once so many were given (0: it has)."""
        with self._changed:
            self._inbox.extend(requests)
            self._taken_in += len(requests)
            self._rest_at = max(self._rest_at, rest_at)
            self._changed.notify_all()

    def take(self, wait_s: float) -> tuple[list[Result], str]:
        """What is done by now, after at most `wait_s`; and why the engine ended, if it did."""
        with self._changed:
            self._changed.wait_for(lambda: self._outbox or self._ended, wait_s)
        time.sleep(_GATHER_S)
        with self._changed:
            found, self._outbox = self._outbox, []
            return found, self._ended

    def close(self) -> None:
        """Returns once the engine has ended its processes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        assert self._engine is not None
        try:
            with self._engine as engine:
                while self._awaited():
                    for result in engine.stream(self._requests()):
                        with self._changed:
                            self._outbox.append(result)
                            self._changed.notify_all()
                            if self._closed:
                                break
        except Exception as error:  # whatever it is, the driver must hear of it
            self._end(" ".join(str(error).split())[:_REASON_CHARS] or type(error).__name__)

    def _end(self, reason: str) -> None:
        with self._changed:
            self._ended = f"{socket.gethostname()}: {reason}"
            self._changed.notify_all()

    def _awaited(self) -> bool:
        """Waits for the next request; False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._inbox or self._closed)
            return not self._closed

    def _requests(self) -> Iterator[Request]:
        """Ends where the driver has nothing more for now: an engine waits for its next request
        before it looks at results, so it must know."""
        while True:
            with self._changed:
                self._changed.wait_for(self._may_go_on)
                if self._closed or not self._inbox:
                    return
                request = self._inbox.popleft()
            yield request

    def _may_go_on(self) -> Any:
        return self._inbox or self._closed or self._taken_in == self._rest_at
