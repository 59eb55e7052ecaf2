"""The `ray` engine: actors across machines, each with a vLLM of its own, fed from here.

Every worker has its fill of requests in flight, so none waits for another. What a lost worker had
in flight goes to the others, one such request a worker at a time: if that worker is lost as well,
it is clear what killed it, and the request is set aside with the reason.
"""

import os
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from typing import Any

from palo.console import note
from palo.engines.stream import Engine, Request, Result, Signature, refused
from palo.errors import MissingResource, UserError
from palo.hub import stay_offline
from palo.settings import TranslatorSettings

_FEED = 2  # requests in flight per running sequence: vLLM's feed, and some at its door
_LOOK_S = 2.0  # between looks at the nodes
_TAKE_S = 5.0  # a worker answers at least as often
_SPARE_LOSSES = 2  # in a row, beyond losing every worker once
_STOP_S = 20.0
_CONNECT_S = 10.0
_TAKE = "take"  # the calls of an actor that wait have a thread of their own; the rest keep order
_STORE_BYTES = 100 * 2**20  # texts are small; Ray would take a third of the memory
_REASON_CHARS = 500
_GATHER_S = 0.01  # results of one step of the model come together


@dataclass(frozen=True)
class Node:
    """`workers`: how many it has room for, each with so many CPUs and GPUs."""

    node_id: str
    workers: int
    cpus: float
    gpus: float


def rooms(nodes: Sequence[Mapping[str, Any]], settings: TranslatorSettings) -> list[Node]:
    """What the living nodes (rows of `ray.nodes()`) have room for; those with none are left out.

    A worker takes `tensor_parallel_size` GPUs. Where no node has a GPU, one worker takes a whole
    node, or `cpus_per_worker` of it.
    """
    alive = [(str(node["NodeID"]), node["Resources"]) for node in nodes if node["Alive"]]
    share, gpus = settings.ray.cpus_per_worker, float(settings.tensor_parallel_size)
    with_gpus = any(resources.get("GPU", 0) for _, resources in alive)
    with_room = []
    for node_id, resources in alive:
        cpus = resources.get("CPU", 0.0)
        if with_gpus:
            node = Node(node_id, int(resources.get("GPU", 0) // gpus), share or 1.0, gpus)
        else:
            number = int(cpus // share) if share else int(cpus > 0)
            node = Node(node_id, number, share or cpus, 0.0)
        if node.workers:
            with_room.append(node)
    return with_room


@dataclass(eq=False)
class _Hired:
    """A worker of ours; `call` is its `open` until it is ready, then always a `take`."""

    actor: Any
    node_id: str
    call: Any
    asked_at: float
    ready: bool = False
    rests: bool = False  # it knows that there is nothing more for now
    flights: dict[str, Request] = field(default_factory=dict)  # by the name it has on the way
    suspect: str = ""  # the name of the last that was in flight in a lost worker, too


class RayEngine(Engine):
    """Connects at the first request. `open_hosted` opens, on each node, what works there."""

    kind = "ray"

    def __init__(
        self,
        open_hosted: Callable[[], Engine],
        model: str,
        signature: Signature,
        settings: TranslatorSettings,
    ) -> None:
        self.signature = signature
        self._open_hosted, self._model, self._settings = open_hosted, model, settings
        self._ray: Any = None
        self._is_ours = False  # else somebody in this process started Ray: it stays as it is
        self._workers: list[_Hired] = []
        self._refused: dict[str, str] = {}  # node id: why it can't work
        self._suspects: deque[Request] = deque()
        self._held: list[Result] = []  # set aside, told once a worker gives results again
        self._tickets = 0
        self._limit = max(1, settings.max_num_seqs * _FEED)
        self._most = 0  # workers at once
        self._losses = 0  # without a result in between
        self._reason = ""
        self._looked_at = self._staffed_at = 0.0

    def stream(self, requests: Iterable[Request]) -> Iterator[Result]:
        """Raises UserError where no worker can be had, or one after another is lost."""
        source, more = iter(requests), True
        try:
            while more or self._suspects or any(worker.flights for worker in self._workers):
                self._staff()
                more = self._hand_out(source, more)
                yield from self._collect()
            yield from self._held
        finally:
            for worker in self._workers:
                worker.flights = {}  # what they still send of it is dropped
            self._suspects.clear()
            self._held = []

    def _connect(self) -> None:
        """Raises UserError where no cluster answers."""
        import ray

        self._ray, self._is_ours = ray, not ray.is_initialized()
        self._looked_at, self._staffed_at = 0.0, time.monotonic()
        if not self._is_ours:
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        address = self._settings.ray.address or os.environ.get("RAY_ADDRESS") or "local"
        local = {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
        host, _, port = address.rpartition(":")
        try:
            if host and port.isdecimal():  # where nothing listens Ray would try for minutes
                socket.create_connection((host.rpartition("/")[2], int(port)), _CONNECT_S).close()
            self._ray.init(
                address=address,
                log_to_driver=False,
                logging_level="ERROR",
                **(local if address == "local" else {}),
            )
        except (OSError, RuntimeError, ValueError, self._ray.exceptions.RayError) as error:
            raise UserError(
                f"No Ray cluster at '{address}': {' '.join(str(error).split())[:300]}. Start one "
                "with `ray start --head`, or set translator.ray.address (null: this machine only)."
            ) from None

    def _staff(self) -> None:
        """Starts workers wherever there is room: at first, for lost ones, on nodes that joined."""
        if self._ray is None:
            self._connect()
        now = time.monotonic()
        if any(worker.ready for worker in self._workers):
            self._staffed_at = now
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        nodes = rooms(self._ray.nodes(), self._settings)
        open_nodes = [node for node in nodes if node.node_id not in self._refused]
        if nodes and not open_nodes:
            reasons = "\n- ".join(self._refused.values())
            raise MissingResource(
                f"No node of the Ray cluster can run the engine and its model:\n- {reasons}"
            )
        wanted = self._settings.ray.workers or sum(node.workers for node in open_nodes)
        while len(self._workers) < wanted:
            busy = Counter(worker.node_id for worker in self._workers)
            free = [node for node in open_nodes if busy[node.node_id] < node.workers]
            if not free:
                break
            self._hire(min(free, key=lambda node: busy[node.node_id]))
        self._most = max(self._most, len(self._workers))
        if now - self._staffed_at > self._settings.stall_timeout_s:
            why = f" The last one: {self._reason}." if self._reason else ""
            raise UserError(
                f"No Ray worker could be had for {self._settings.stall_timeout_s:g} s: the "
                f"cluster's nodes have room for {sum(node.workers for node in nodes)} workers, and "
                f"{len(self._workers)} are waiting to start.{why} What was translated is kept. Add "
                "nodes (`ray start --address ...`) or free their GPUs, and run the same command "
                "again."
            )

    def _hire(self, node: Node) -> None:
        """An actor on this node; it comes up once the node's resources are free."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        hosted = self._ray.remote(
            num_cpus=node.cpus,
            num_gpus=node.gpus,
            max_restarts=0,  # a lost one is replaced here, where it is known what it had
            concurrency_groups={_TAKE: 1},
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.node_id, soft=False),
        )
        actor = hosted(Worker).remote(self._open_hosted, self._model)
        call = actor.open.remote(str(self.signature))
        self._workers.append(_Hired(actor, node.node_id, call, time.monotonic()))

    def _hand_out(self, source: Iterator[Request], more: bool) -> bool:
        """Gives every worker its fill; returns whether the source may have more."""
        batches: list[tuple[_Hired, list[Request]]] = []
        ready = [worker for worker in self._workers if worker.ready]
        for worker in sorted(ready, key=lambda worker: len(worker.flights)):
            batch: list[Request] = []
            if self._suspects and worker.suspect not in worker.flights:
                worker.suspect = self._tag(worker, self._suspects.popleft(), batch)
            while more and len(worker.flights) < self._limit:
                request = next(source, None)
                more = request is not None
                if request is not None:
                    self._tag(worker, request, batch)
            batches.append((worker, batch))
        for worker, batch in batches:
            if batch or not (more or worker.rests):
                worker.rests = not more
                worker.actor.give.remote(batch, worker.rests)
        return more

    def _tag(self, worker: _Hired, request: Request, batch: list[Request]) -> str:
        """Puts it on its way under a name of its own: late results of others are known then."""
        self._tickets += 1
        tag = str(self._tickets)
        worker.flights[tag] = request
        batch.append(replace(request, tag=tag))
        return tag

    def _collect(self) -> list[Result]:
        """What the workers have done by now; loses those that are gone or do not answer."""
        if not self._workers:
            time.sleep(_LOOK_S)
            return []
        calls = [worker.call for worker in self._workers]
        self._ray.wait(calls, num_returns=1, timeout=_LOOK_S)
        done = set(self._ray.wait(calls, num_returns=len(calls), timeout=0)[0])
        results: list[Result] = []
        for worker in list(self._workers):
            if worker.call in done:
                self._hear(worker, results)
            elif worker.ready:
                silent_s = time.monotonic() - worker.asked_at
                if silent_s > self._settings.stall_timeout_s + _TAKE_S:
                    self._lose(worker, f"a worker did not answer for {silent_s:.0f} s")
        return results

    def _hear(self, worker: _Hired, results: list[Result]) -> None:
        try:
            answer = self._ray.get(worker.call)
        except self._ray.exceptions.RayError as error:  # the actor or its node is gone
            lines = str(error).strip().splitlines() or [type(error).__name__]
            self._lose(worker, lines[0][:300])
            return
        if worker.ready:
            done, ended = answer
            for result in done:
                request = worker.flights.pop(result.tag, None)
                if request is not None:
                    self._losses = 0
                    results += [*self._held, replace(result, tag=request.tag)]
                    self._held = []
            if ended:
                self._lose(worker, ended)
                return
        elif answer:
            self._refused[worker.node_id] = answer
            self._dismiss(worker)
            note(f"WARNING: a Ray node is left out. {answer}")
            return
        worker.ready = True
        worker.call = worker.actor.take.options(concurrency_group=_TAKE).remote(_TAKE_S)
        worker.asked_at = time.monotonic()

    def _lose(self, worker: _Hired, reason: str) -> None:
        self._dismiss(worker)
        self._losses += 1
        self._looked_at, self._reason = 0.0, reason
        for tag, request in worker.flights.items():
            if tag == worker.suspect:
                self._held.append(refused(request, f"the engine died on it ({reason})"))
            else:
                self._suspects.append(request)
        if self._losses >= self._most + _SPARE_LOSSES:
            raise UserError(
                f"Ray workers were lost {self._losses} times in a row. The last one: "
                f"{reason.rstrip('.')}. What was translated is kept. Mend that and run the same "
                "command again."
            )

    def _dismiss(self, worker: _Hired) -> None:
        self._workers.remove(worker)
        self._ray.kill(worker.actor)

    def __exit__(self, *unused: object) -> None:
        """Ends actors and their engines, which get a moment to free the GPU."""
        if self._ray is None:
            return
        calls = [worker.actor.close.remote() for worker in self._workers if worker.ready]
        if calls:
            self._ray.wait(calls, num_returns=len(calls), timeout=_STOP_S)
        for worker in list(self._workers):
            self._dismiss(worker)
        if self._is_ours:
            self._ray.shutdown()
        self._ray = None


class Worker:
    """What runs in an actor: an engine, an inbox and an outbox. Knows nothing of Ray.

    The engine has its own thread, so that the actor answers at once: one that does not is lost.
    """

    def __init__(self, open_engine: Callable[[], Engine], model: str) -> None:
        stay_offline()  # this node has not gone through the front door
        self._open_engine, self._model = open_engine, model
        self._thread: threading.Thread | None = None
        self._inbox: SimpleQueue[Request | None] = SimpleQueue()  # None: no more for now
        self._outbox: SimpleQueue[Result | str] = SimpleQueue()  # a text: why the engine ended
        self._closed = False

    def open(self, wanted: str) -> str:
        """ "" once it can work, or why this node can't: `wanted` is the signature of the run."""
        try:
            engine = self._open_engine()
        except UserError as error:
            return f"{socket.gethostname()}: {error}"
        if str(engine.signature) != wanted:
            return (
                f"{socket.gethostname()}: its copy of model {self._model} is another one "
                f"('{engine.signature}' there, '{wanted}' here): copy the same files there"
            )
        self._thread = threading.Thread(
            target=self._work, args=(engine,), name="engine", daemon=True
        )
        self._thread.start()
        return ""

    def give(self, requests: Sequence[Request], rests: bool) -> None:
        """`rests`: the driver has nothing more for now."""
        for request in (*requests, *[None] * rests):
            self._inbox.put(request)

    def take(self, wait_s: float) -> tuple[list[Result], str]:
        """What is done by now, after at most `wait_s`; and why the engine ended, if it did."""
        results, ended = [], ""
        with suppress(Empty):
            answer = self._outbox.get(timeout=wait_s)
            time.sleep(_GATHER_S)
            while True:
                if isinstance(answer, str):
                    ended = answer
                else:
                    results.append(answer)
                answer = self._outbox.get_nowait()
        return results, ended

    def close(self) -> None:
        """Returns once the engine has ended its processes."""
        self._closed = True
        self._inbox.put(None)
        if self._thread is not None:
            self._thread.join()

    def _work(self, engine: Engine) -> None:
        try:
            with engine:
                while not self._closed:
                    for result in engine.stream(self._requests()):
                        self._outbox.put(result)
                        if self._closed:
                            break
        except Exception as error:  # whatever it is, the driver must hear of it
            reason = " ".join(str(error).split())[:_REASON_CHARS] or type(error).__name__
            self._outbox.put(f"{socket.gethostname()}: {reason}")

    def _requests(self) -> Iterator[Request]:
        """Ends where there is nothing for now: engines wait here before they look at results."""
        while (request := self._inbox.get()) is not None and not self._closed:
            yield request
