"""The Ray cluster as the `ray` engine sees it: connect, count room on the nodes, start actors."""

import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from palo.engines.open import Weights
from palo.engines.ray_worker import Worker
from palo.errors import UserError
from palo.settings.translate import EngineKind, TranslatorSettings

_STOP_S = 20.0
_CONNECT_S = 10.0
_CALLS_AT_ONCE = 4  # of one actor: `take` waits in one of them
_STORE_BYTES = 100 * 2**20  # texts are small; Ray would take a third of the memory


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
    share = settings.ray.cpus_per_worker
    found = []
    if any(resources.get("GPU", 0) for _, resources in alive):
        gpus = float(settings.tensor_parallel_size)
        for node_id, resources in alive:
            number = int(resources.get("GPU", 0) // gpus)
            found.append(Node(node_id, number, share or 1.0, gpus))
    else:
        for node_id, resources in alive:
            cpus = resources.get("CPU", 0.0)
            number = int(cpus // share) if share else int(cpus > 0)
            found.append(Node(node_id, number, share or cpus, 0.0))
    return [node for node in found if node.workers]


class RayCluster:
    """Connected while it lives; a Ray that somebody else in this process started stays as it is."""

    def __init__(self, settings: TranslatorSettings, hosted: EngineKind, weights: Weights) -> None:
        """Raises UserError where no cluster answers."""
        import ray

        self._settings, self._hosted, self._weights = settings, hosted, weights
        self._ray: Any = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            self._connect()

    def _connect(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        address = self._settings.ray.address or os.environ.get("RAY_ADDRESS") or "local"
        local = {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
        try:
            _reach(address)
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

    def rooms(self) -> list[Node]:
        return rooms(self._ray.nodes(), self._settings)

    def start(self, node: Node) -> Any:
        """An actor on this node; it comes up once the node's resources are free."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options = {
            "num_cpus": node.cpus,
            "num_gpus": node.gpus,
            "max_restarts": 0,  # a lost one is replaced by the engine, which knows what it had
            "max_concurrency": _CALLS_AT_ONCE,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node.node_id, soft=False),
        }
        settings = self._settings.model_copy(update={"data_parallel_size": 1})  # Ray's is ours
        actor: Any = self._ray.remote(Worker).options(**options)
        return actor.remote(self._hosted, self._weights, settings)

    def answered(self, calls: Sequence[Any], timeout_s: float) -> set[Any]:
        """The calls that have ended, after waiting at most so long for the first."""
        self._ray.wait(list(calls), num_returns=1, timeout=timeout_s)
        done, _ = self._ray.wait(list(calls), num_returns=len(calls), timeout=0)
        return set(done)

    def answer(self, call: Any) -> tuple[Any, str]:
        """What the call returned, or why there is nothing: the actor or its node is gone."""
        try:
            return self._ray.get(call), ""
        except self._ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            return None, lines[0][:300]

    def end(self, actors: Sequence[Any]) -> None:
        """Ends actors and their engines, which get a moment to free the GPU."""
        calls = [actor.close.remote() for actor in actors]
        if calls:
            self._ray.wait(calls, num_returns=len(calls), timeout=_STOP_S)
        for actor in actors:
            self.kill(actor)

    def kill(self, actor: Any) -> None:
        self._ray.kill(actor)

    def close(self) -> None:
        if self._ours:
            self._ray.shutdown()


def _reach(address: str) -> None:
    """Raises OSError where nothing listens: Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.rpartition("/")[2], int(port)), _CONNECT_S).close()
