"""A folder that is written whole or not at all, and never over what palo did not write."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from palo.errors import UserError
from palo.files import replaced_folder, write_json

MARK = ".palo-export.json"  # in every folder that palo wrote: it may be written again


@contextmanager
def whole_folder(folder: Path, told: dict[str, str]) -> Iterator[Path]:
    """Yields a new folder beside `folder`; puts it in its place if the block ends well.

    `told` goes into the mark. Raises UserError where something stands there that palo did not
    write.
    """
    require_ours(folder)
    with replaced_folder(folder) as fresh:
        yield fresh
        write_json(fresh / MARK, told)


def require_ours(folder: Path) -> None:
    """Raises UserError for a file, or a folder that holds something and not palo's mark."""
    if folder.is_dir() and ((folder / MARK).is_file() or not any(folder.iterdir())):
        return
    if folder.is_symlink() or folder.exists():
        raise UserError(
            f"{folder} is there and palo did not write it, so it stays as it is. "
            "Choose another place, or remove it."
        )
