"""Sends a plan to the Hub, or copies it into a folder that is laid out as the Hub is."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from data_cards.output import whole_folder
from data_cards.push_plan import Plan
from palo.errors import MissingResource, UserError

_STATUS = {
    401: "it does not accept the token",
    403: "the token has no right to write there",
    404: "there is no such repository, or the token may not see it",
}


def copied(chosen: Plan, to: Path) -> Path:
    """The folder `to/datasets/ORG/NAME` (a checkpoint: `to/ORG/NAME`), written whole."""
    folder = to.absolute() / chosen.place
    told = {"written by": "palo push", "repository": chosen.place}
    with whole_folder(folder, told) as fresh:
        _lay_out(chosen, fresh, shutil.copyfile)
    return folder


def pushed(chosen: Plan, private: bool) -> str:
    """The repository's address. The token is the environment's or that of `hf auth login`.

    Raises MissingResource without token or network, UserError where the Hub refuses.
    """
    from huggingface_hub import HfApi, errors, get_token
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    # of whichever HTTP library huggingface_hub is built on; an answer is an HfHubHTTPError
    no_answer: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]

    api = HfApi(library_name="palo")
    if not get_token():
        raise MissingResource("No token for the Hub. Run hf auth login, or set HF_TOKEN.")
    try:
        address = api.create_repo(
            chosen.repo_id, repo_type=chosen.repo_type, private=private, exist_ok=True
        )
        found = api.repo_info(chosen.repo_id, repo_type=chosen.repo_type)
        if private and not found.private:
            raise UserError(f"{address} is public. Push with --public if that is meant.")
        with _staged(chosen) as folder:
            api.upload_folder(
                repo_id=chosen.repo_id,
                repo_type=chosen.repo_type,
                folder_path=folder,
                commit_message=f"{chosen.what} by palo push",
            )
    except OfflineModeIsEnabled:
        raise MissingResource(
            "HF_HUB_OFFLINE is set, so nothing can be pushed. Unset it, or use --to FOLDER."
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        why = _STATUS.get(status, f"it answered {status}")
        raise UserError(f"{api.endpoint} refused {chosen.place}: {why}.") from None
    except (no_answer, ConnectionError, TimeoutError):
        raise MissingResource(
            f"Cannot reach {api.endpoint}. Is there a network? What was sent stays sent; the same "
            "command goes on."
        ) from None
    return str(address)


@contextmanager
def _staged(chosen: Plan) -> Iterator[Path]:
    """All of it as one folder, for the uploader; a checkpoint's own is not written to."""
    # beside the folder that is pushed, so that links stay on one disk
    name, path = next(iter(chosen.files.items()))
    beside = path.parents[len(Path(name).parts)]
    with TemporaryDirectory(prefix=".push-", dir=beside) as folder:
        _lay_out(chosen, Path(folder), _linked)
        yield Path(folder)


def _lay_out(chosen: Plan, folder: Path, put: Callable[[Path, Path], object]) -> None:
    for name, path in chosen.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        put(path, folder / name)
    for name, text in chosen.texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _linked(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
