"""Files and folders that are replaced at once, digests, JSON with what it was made from, locks."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import yaml
from filelock import FileLock, Timeout

from palo.errors import Locked, UserError

LOCK_NAME = ".lock"
# Types of file systems that several machines may have mounted at once; FUSE's apart
_NETWORK = frozenset(
    (
        *("nfs", "nfs4", "lustre", "gpfs", "beegfs", "panfs", "wekafs", "orangefs"),
        *("ceph", "cifs", "smb3", "smbfs", "afs", "9p"),
    )
)
_LOCAL_FUSE = frozenset(f"fuse.{name}" for name in ("fuse-overlayfs", "bindfs", "mergerfs"))
DIGESTS = "digests.json"  # in a folder: sizes and digests of what was written there
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)  # of file systems that flush no folders


def timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def digest(value: Any) -> str:
    """32 hex digits over the JSON form of `value`; equal values give equal digests."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8"), digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """32 hex digits over the bytes of a file, read in pieces."""
    state = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            state.update(piece)
    return state.hexdigest()


def to_disk(path: Path) -> None:
    """Returns when the file, or the folder's list of names, would outlive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC or not path.is_dir():
            raise
    finally:
        os.close(handle)


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yields a temporary path; renames it onto `path` if the block ends well, else removes it. A
    power cut later leaves the old file or the new one. Raises UserError where the disk is full."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        to_disk(temporary)
        temporary.replace(path)
        to_disk(path.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise disk_full(path) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Yields a new folder beside `folder`; puts it in its place if the block ends well.

    What writers left that were killed is removed; one that was killed between its two renames left
    the folder under another name, from which it comes back first.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for end in ("old", "new"):
        for left in folder.parent.glob(f".{folder.name}.*.{end}"):
            pid = left.suffixes[-2].removeprefix(".")
            if not pid.isdecimal() or psutil.pid_exists(int(pid)):
                continue
            if end == "old" and not folder.exists():
                left.rename(folder)
            shutil.rmtree(left, ignore_errors=True)
    fresh, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{end}") for end in ("new", "old"))
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        yield fresh
        for path in (*fresh.rglob("*"), fresh):
            if not path.is_symlink():
                to_disk(path)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        to_disk(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def disk_full(path: Path | str) -> UserError:
    return UserError(
        f"The disk is full: could not write {path}. Nothing is lost: make room and run the same "
        "command again, it goes on where it stopped."
    )


def write_text(path: Path, text: str) -> Path:
    with replaced(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return path


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1) + "\n")


def read_json(path: Path, default: Any = None) -> Any:
    """The `default`, where there is one, for a missing file. Raises UserError for a file that is no
    JSON, which `write_json` never leaves behind."""
    if default is not None and not path.is_file():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{path} is not valid JSON ({error}). Remove it and run the command again."
        ) from None


def read_yaml(beside: str, name: str) -> Any:
    """What a file of the package holds; `beside`: the `__file__` of the module that it lies by."""
    return yaml.safe_load(Path(beside).with_name(name).read_text(encoding="utf-8"))


def network_file_system(path: Path) -> str | None:
    """The type of the file system that `path` lies or will lie on, where other machines may have it
    too: `nfs4`, `lustre`, `fuse.sshfs`. None for a disk of this one."""
    place = path.resolve()
    mounted = psutil.disk_partitions(all=True)
    holds = [each for each in mounted if place.is_relative_to(each.mountpoint)]
    # the innermost; of several mounts on one folder the last, which hides the others
    kind = max(reversed(holds), key=lambda each: len(each.mountpoint)).fstype if holds else ""
    is_shared = kind in _NETWORK or kind == "fuse" or kind.startswith("fuse.")
    return kind if is_shared and kind not in _LOCAL_FUSE else None


@contextmanager
def run_lock(folder: Path, what: str, patience_s: float = 0) -> Iterator[None]:
    """Holds the folder for this process; the system frees it when the process ends, however. Raises
    Locked with the other process's id, task and start where it is held, after `patience_s`."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_NAME)
    owner_path = folder / f"{LOCK_NAME}.json"
    try:
        lock.acquire(timeout=patience_s)
    except Timeout:
        try:
            owner = json.loads(owner_path.read_text(encoding="utf-8"))
            who = f"{owner['what']}, process {owner['pid']}, since {owner['since']}"
        except (OSError, ValueError, KeyError):
            who = "another process"
        raise Locked(
            f"{folder} is in use ({who}). Wait for it to end, or stop it, then run this again."
        ) from None
    try:
        owner = {"pid": os.getpid(), "what": what, "since": timestamp()}
        owner_path.write_text(json.dumps(owner), encoding="utf-8")
        yield
    finally:
        owner_path.unlink(missing_ok=True)
        lock.release()


def uptodate(record_path: Path, inputs: Any) -> dict[str, Any] | None:
    """The JSON record of something made from these very `inputs`; None where that is not so.
    Whoever made it wrote `write_json(record_path, {"inputs": inputs, ...})` when it was done."""
    record: dict[str, Any] = read_json(record_path, {})
    return record if record.get("inputs") == inputs else None


def write_digests(folder: Path, paths: Iterable[Path]) -> None:
    """Flushes files of `folder`, reads them back from the disk, and keeps size and digest of each
    in its digests.json."""
    written = {}
    for path in sorted(paths):
        to_disk(path)
        if hasattr(os, "posix_fadvise"):  # Linux: out of memory, so that the disk's is read
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        name = path.relative_to(folder).as_posix()
        written[name] = [path.stat().st_size, file_digest(path)]
    write_json(folder / DIGESTS, written)


def harm(folder: Path, reread: bool = False) -> str | None:
    """What is wrong with the files that a folder's digests.json names; None: nothing.

    Sizes are always compared. 26 GB of digests take half a minute, so a file is read only where it
    is not older than digests.json (it was changed, or copied later), or with `reread`.
    """
    try:
        written = read_json(folder / DIGESTS)
        since = (folder / DIGESTS).stat().st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return f"no {DIGESTS}"
    except UserError:
        return f"{DIGESTS} is no JSON"
    for name, told in written.items():
        size, value = told if isinstance(told, list) else (None, told)  # once: digests alone
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        status = path.stat()
        if size is not None and status.st_size != size:
            return f"{name} has {status.st_size} bytes, not the {size} that were written"
        is_newer = size is None or status.st_mtime_ns >= since
        if (reread or is_newer) and file_digest(path) != value:
            return f"{name} was changed after it was written"
    return None
