"""One process at a time on one folder of data."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from palo.errors import Locked

LOCK_NAME = ".lock"


@contextmanager
def run_lock(folder: Path, what: str) -> Iterator[None]:
    """Holds the folder for this process; the system frees it when the process ends, however.

    Raises Locked with the other process's id, task and start where it is held.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_NAME)
    owner_path = folder / f"{LOCK_NAME}.json"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Locked(_held(folder, owner_path)) from None
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        owner = {"pid": os.getpid(), "what": what, "since": since}
        owner_path.write_text(json.dumps(owner), encoding="utf-8")
        yield
    finally:
        owner_path.unlink(missing_ok=True)
        lock.release()


def _held(folder: Path, owner_path: Path) -> str:
    try:
        owner = json.loads(owner_path.read_text(encoding="utf-8"))
        who = f"{owner['what']}, process {owner['pid']}, since {owner['since']}"
    except (OSError, ValueError, KeyError):
        who = "another process"
    return f"{folder} is in use ({who}). Wait for it to end, or stop it, then run this again."
