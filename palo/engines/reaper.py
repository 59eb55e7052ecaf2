"""Engine processes never outlive their run, even one that was killed with SIGKILL.

Every process an engine starts inherits a mark in its environment that names the run and the
engine. A watcher process waits for either to end (its end of a pipe closes, however that came
about) and then kills whatever still carries the mark. The next run does the same once more before
it starts.
"""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker

import psutil

VLLM_SERVER = {  # environment of vLLM wherever it runs
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # fork would hand on locks, files, database handles
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}
_VLLM_HERE = {**VLLM_SERVER, "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_CPU_KVCACHE_SPACE": "1"}  # GiB
_MARK = "PALO_ENGINE_OF"
_engine_numbers = itertools.count(1)
_ROUNDS = 10  # a child that was just being started may show up a moment later
_ROUND_S = 0.3


def owner_mark(pid: int | None = None) -> str:
    """Process id and start time: ids are used again, both together are not."""
    process = psutil.Process(pid)
    return f"{process.pid}:{process.create_time():.2f}"


def new_mark() -> str:
    """Of one engine of this process: the watcher of another must let it live."""
    return f"{owner_mark()}:{next(_engine_numbers)}"


@contextmanager
def marked(mark: str) -> Iterator[None]:
    """Processes started inside carry the mark."""
    # vLLM renames its processes, which by default overwrites the environment others can read
    os.environ["SPT_NOENV"] = "1"
    resource_tracker.ensure_running()  # outside the mark: later engines use it, too
    os.environ[_MARK] = mark
    try:
        yield
    finally:
        os.environ.pop(_MARK, None)


def prepare_vllm() -> None:
    """Before vLLM starts in this process: its environment, and no engine of a run that ended."""
    for name, value in _VLLM_HERE.items():
        os.environ.setdefault(name, value)
    reap_orphans()


def start_watcher(mark: str) -> subprocess.Popen[bytes]:
    """Keep the result: its stdin is the pipe. In a session of its own, so Ctrl-C spares it."""
    command = [sys.executable, "-m", "palo.engines.reaper", mark]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def reap_orphans() -> list[int]:
    """Kills engine processes whose run has ended; returns their ids."""
    return _kill(lambda mark: not _alive(mark))


def _kill(is_meant: Callable[[str], bool]) -> list[int]:
    killed = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # gone by now, or another user's
            mark = process.environ().get(_MARK)
            if mark and process.pid != os.getpid() and is_meant(mark):
                process.kill()
                killed.append(process.pid)
    return killed


def _alive(mark: str) -> bool:
    owner, _, _ = mark.rpartition(":")
    pid = int(owner.partition(":")[0])
    try:
        return owner_mark(pid) == owner and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def watch(mark: str) -> None:
    """Returns once the run or the engine has ended and none of its processes is left."""
    sys.stdin.buffer.read()  # nothing is ever written: this ends when the other end closes
    for _ in range(_ROUNDS):
        _kill(mark.__eq__)
        time.sleep(_ROUND_S)


if __name__ == "__main__":
    watch(sys.argv[1])
