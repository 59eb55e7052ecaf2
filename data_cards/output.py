"""A folder that is written whole or not at all, and never over what palo did not write."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from palo.errors import UserError
from palo.files import write_json

MARK = ".palo-export.json"  # in every folder that palo wrote: it may be written again


@contextmanager
def whole_folder(folder: Path, told: dict[str, str]) -> Iterator[Path]:
    """Yields a new folder beside `folder`; puts it in its place if the block ends well.

    `told` goes into the mark. Raises UserError where something stands there that palo did not
    write.
    """
    require_ours(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    fresh.mkdir()
    try:
        yield fresh
        write_json(fresh / MARK, told)
        old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def require_ours(folder: Path) -> None:
    """Raises UserError for a file, or a folder that holds something and not palo's mark."""
    if folder.is_dir() and ((folder / MARK).is_file() or not any(folder.iterdir())):
        return
    if folder.is_symlink() or folder.exists():
        raise UserError(
            f"{folder} is there and palo did not write it, so it stays as it is. "
            "Choose another place, or remove it."
        )


def _remove_leftovers(folder: Path) -> None:
    """Of writers that were killed, and are dead."""
    import psutil

    for path in folder.parent.glob(f".{folder.name}.*.new"):
        pid = path.suffixes[-2].removeprefix(".")
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(path, ignore_errors=True)
