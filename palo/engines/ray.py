"""The `ray` engine: actors across machines, each with a vLLM of its own, fed from here.

Every worker has its fill of requests in flight, so none waits for another. What a lost worker had
in flight goes to the others, one such request a worker at a time: if that worker is lost as well,
it is clear what killed it, and the request is set aside with the reason.
"""

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

from palo.console import note
from palo.engines.open import Weights
from palo.engines.ray_cluster import Node, RayCluster
from palo.engines.stream import Request, Result, Signature
from palo.errors import MissingResource, UserError
from palo.settings.translate import EngineKind, TranslatorSettings

_FEED = 2  # requests in flight per running sequence: vLLM's feed, and some at its door
_LOOK_S = 2.0  # between looks at the nodes
_TAKE_S = 5.0  # a worker answers at least as often
_SPARE_LOSSES = 2  # in a row, beyond losing every worker once


@dataclass(frozen=True)
class _Flight:
    request: Request
    suspect: bool = False  # was in flight in a lost worker


@dataclass(eq=False)
class _Worker:
    """An actor; `call` is its `open` until it is ready, then always a `take`."""

    actor: Any
    node_id: str
    call: Any
    asked_at: float
    ready: bool = False
    given: int = 0
    rests_at: int = 0
    flights: dict[str, _Flight] = field(default_factory=dict)

    @property
    def has_suspect(self) -> bool:
        return any(flight.suspect for flight in self.flights.values())

    def ask(self) -> None:
        self.call = self.actor.take.remote(_TAKE_S)
        self.asked_at = time.monotonic()


class RayEngine:
    """Connects at the first request. `hosted` is what the workers run."""

    kind = "ray"

    def __init__(
        self,
        weights: Weights,
        signature: Signature,
        settings: TranslatorSettings,
        hosted: EngineKind = EngineKind.VLLM,
    ) -> None:
        self.signature = signature
        self._weights, self._settings, self._hosted = weights, settings, hosted
        self._cluster: RayCluster | None = None
        self._workers: list[_Worker] = []
        self._refused: dict[str, str] = {}  # node id: why it can't work
        self._suspects: deque[_Flight] = deque()
        self._held: list[Result] = []  # set aside, told once a worker gives results again
        self._tickets = 0
        self._limit = max(1, settings.max_num_seqs * _FEED)
        self._most = 0  # workers at once
        self._losses = 0  # without a result in between
        self._reason = ""
        self._looked_at = self._staffed_at = 0.0

    @property
    def cluster(self) -> RayCluster:
        assert self._cluster is not None
        return self._cluster

    def stream(self, requests: Iterable[Request]) -> Iterator[Result]:
        """Raises UserError where no worker can be had, or one after another is lost."""
        source, more = iter(requests), True
        try:
            while more or self._suspects or any(worker.flights for worker in self._workers):
                self._staff()
                more = self._hand_out(source, more)
                yield from self._collect()
            yield from self._told()
        finally:
            for worker in self._workers:
                worker.flights = {}  # what they still send of it is dropped
            self._suspects.clear()
            self._held = []

    def _staff(self) -> None:
        """Starts workers wherever there is room: at first, for lost ones, on nodes that joined."""
        if self._cluster is None:
            self._cluster = RayCluster(self._settings, self._hosted, self._weights)
            self._looked_at, self._staffed_at = 0.0, time.monotonic()
        now = time.monotonic()
        if any(worker.ready for worker in self._workers):
            self._staffed_at = now
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        rooms = self.cluster.rooms()
        open_rooms = [node for node in rooms if node.node_id not in self._refused]
        if rooms and not open_rooms:
            raise MissingResource(_none_can(list(self._refused.values())))
        while (node := self._next_room(open_rooms)) is not None:
            actor = self.cluster.start(node)
            call = actor.open.remote(str(self.signature))
            self._workers.append(_Worker(actor, node.node_id, call, now))
        self._most = max(self._most, len(self._workers))
        if now - self._staffed_at > self._settings.stall_timeout_s:
            raise UserError(self._nobody(rooms))

    def _next_room(self, nodes: list[Node]) -> Node | None:
        """The least busy node with room for one more; None when there are workers enough."""
        wanted = self._settings.ray.workers
        if wanted is not None and len(self._workers) >= wanted:
            return None
        busy = Counter(worker.node_id for worker in self._workers)
        free = [node for node in nodes if busy[node.node_id] < node.workers]
        return min(free, key=lambda node: busy[node.node_id], default=None)

    def _hand_out(self, source: Iterator[Request], more: bool) -> bool:
        """Gives every worker its fill; returns whether the source may have more."""
        batches: list[tuple[_Worker, list[_Flight]]] = []
        for worker in sorted(self._ready(), key=lambda worker: len(worker.flights)):
            batch = []
            if self._suspects and not worker.has_suspect:
                batch.append(self._suspects.popleft())
            while more and len(worker.flights) + len(batch) < self._limit:
                request = next(source, None)
                more = request is not None
                if request is not None:
                    batch.append(_Flight(request))
            batches.append((worker, batch))
        for worker, batch in batches:
            self._give(worker, batch, more)
        return more

    def _give(self, worker: _Worker, batch: list[_Flight], more: bool) -> None:
        worker.given += len(batch)
        rests_at = worker.rests_at if more else worker.given
        if not batch and rests_at == worker.rests_at:
            return
        requests = []
        for flight in batch:
            self._tickets += 1  # a name of its own each time: late results of others are known
            requests.append(replace(flight.request, tag=str(self._tickets)))
            worker.flights[str(self._tickets)] = flight
        worker.rests_at = rests_at
        worker.actor.give.remote(requests, rests_at)

    def _collect(self) -> list[Result]:
        """What the workers have done by now; loses those that are gone or do not answer."""
        if not self._workers:
            time.sleep(_LOOK_S)
            return []
        done = self.cluster.answered([worker.call for worker in self._workers], _LOOK_S)
        results: list[Result] = []
        for worker in list(self._workers):
            if worker.call in done:
                self._hear(worker, results)
            elif worker.ready:
                silent_s = time.monotonic() - worker.asked_at
                if silent_s > self._settings.stall_timeout_s + _TAKE_S:
                    self._lose(worker, f"a worker did not answer for {silent_s:.0f} s")
        return results

    def _hear(self, worker: _Worker, results: list[Result]) -> None:
        answer, gone = self.cluster.answer(worker.call)
        if gone:
            self._lose(worker, gone)
        elif not worker.ready and answer:
            self._refused[worker.node_id] = answer
            self._dismiss(worker)
            note(f"WARNING: a Ray node is left out. {answer}")
        elif not worker.ready:
            worker.ready = True
            worker.ask()
        else:
            found, ended = answer
            for result in found:
                flight = worker.flights.pop(result.tag, None)
                if flight is not None:
                    self._losses = 0
                    results.extend(self._told())
                    results.append(replace(result, tag=flight.request.tag))
            if ended:
                self._lose(worker, ended)
            else:
                worker.ask()

    def _lose(self, worker: _Worker, reason: str) -> None:
        self._dismiss(worker)
        self._losses += 1
        self._looked_at, self._reason = 0.0, reason
        for flight in worker.flights.values():
            if flight.suspect:
                error = f"the engine died on it ({reason})"
                self._held.append(
                    Result(flight.request.tag, "", "error", None, 0, 0, error),
                )
            else:
                self._suspects.append(replace(flight, suspect=True))
        if self._losses >= self._most + _SPARE_LOSSES:
            raise UserError(
                f"Ray workers were lost {self._losses} times in a row. The last one: "
                f"{reason.rstrip('.')}. What was translated is kept. Mend that and run the same "
                "command again."
            )

    def _dismiss(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        self.cluster.kill(worker.actor)

    def _told(self) -> list[Result]:
        held, self._held = self._held, []
        return held

    def _ready(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.ready]

    def _nobody(self, rooms: list[Node]) -> str:
        room = sum(node.workers for node in rooms)
        why = f" The last one: {self._reason}." if self._reason else ""
        return (
            f"No Ray worker could be had for {self._settings.stall_timeout_s:g} s: the cluster's "
            f"nodes have room for {room} workers, and {len(self._workers)} are waiting to start."
            f"{why} What was translated is kept. Add nodes (`ray start --address ...`) or free "
            "their GPUs, and run the same command again."
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        if self._cluster is None:
            return
        ready = self._ready()
        for worker in [worker for worker in self._workers if not worker.ready]:
            self._dismiss(worker)
        self.cluster.end([worker.actor for worker in ready])
        self.cluster.close()
        self._cluster, self._workers = None, []


def _none_can(reasons: list[str]) -> str:
    listed = "\n- ".join(reasons)
    return f"No node of the Ray cluster can run the engine and its model:\n- {listed}"
