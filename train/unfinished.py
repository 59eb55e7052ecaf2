"""The folder of a checkpoint that is not finished: one run at a time, begun from known inputs."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from palo.files import read_json, run_lock, write_json


@contextmanager
def working(folder: Path, name: str, keep: bool = False) -> Iterator[Path]:
    """Where an unfinished checkpoint's stages lie; removed once it is finished, unless `keep`."""
    from train.loop.processes import is_first, processes

    work = folder.with_name(f"{folder.name}.work")
    with run_lock(work, f"train {name}") if is_first() else nullcontext():
        processes().wait_for_everyone()
        yield work
        processes().wait_for_everyone()
    if is_first() and not keep:
        shutil.rmtree(work)


def fresh_unless(folder: Path, inputs: str) -> None:
    """An interrupted stage goes on only if it was started from these very inputs."""
    started = folder / "started.json"
    if not (started.is_file() and read_json(started) == inputs):
        shutil.rmtree(folder, ignore_errors=True)
        write_json(started, inputs)
