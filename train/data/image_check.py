"""Which pictures that the data refer to are not where they belong, by their collection.

Told from the lists that training starts from, so before anything is translated. A folder is listed
once, however many of its pictures are asked for.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from palo.files import read_yaml
from palo.llava import BrokenTail, Oversized, stream_list
from palo.settings import Profile
from palo.workers import default_processes, in_order
from train.data.images import RefusedImage, UnreadableImage, inside, load_picture, stored

EXAMPLES = 3
DECODED_AT_ONCE = 64
ENDINGS = (".jpg", ".jpeg", ".png", ".gif")
CAPTIONS = "https://huggingface.co/datasets/liuhaotian/LLaVA-CC3M-Pretrain-595K (images.zip)"
_BUILD = "`palo sample build` draws them"

Folders = dict[str, dict[str, set[str]]]  # names of images by folder, by place


@dataclass(frozen=True)
class ImageList:
    """A LLaVA list and the folder that its image names are relative to."""

    title: str
    path: Path
    images_dir: Path
    published: str = ""  # of images in none of the collections


@dataclass
class Place:
    """One folder of images: how many different ones are asked for, and what is wrong with some."""

    title: str
    folder: str
    published: str
    remark: str = ""
    needed: int = 0
    missing: int = 0
    broken: int = 0  # only known where pictures were decoded; unreadable archives always
    refused: int = 0  # names that lead out of the images' folder
    examples: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return self.missing + self.broken + self.refused

    def fault(self, kind: str, example: str) -> None:
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)


COLLECTIONS = [Place(**row) for row in read_yaml(__file__, "collections.yaml")]


@dataclass(frozen=True)
class ListFault:
    """A list of images that could not be read, or not to its end."""

    title: str
    path: str
    reason: str


@dataclass(frozen=True)
class Checked:
    places: list[Place]
    lists: list[ListFault]

    @property
    def is_complete(self) -> bool:
        return not self.lists and not any(place.lost for place in self.places)


def image_lists(profile: Profile) -> list[ImageList]:
    """The lists of a profile that name images to train on."""
    train, source = profile.train, profile.source
    other, captions = (_BUILD, _BUILD) if profile.world else ("", CAPTIONS)
    wanted = [
        ("instructions to translate", source.path, source.images_dir, other),
        ("English mix", train.english_mix_path, train.english_mix_images_dir, other),
        ("captions of stage 1", train.captions_path, train.captions_images_dir, captions),
    ]
    return [
        ImageList(title, path, images_dir, published)
        for title, path, images_dir, published in wanted
        if path and images_dir
    ]


def check_images(
    lists: Iterable[ImageList], decode: bool = False, tick: Callable[[int], object] = lambda _: None
) -> Checked:
    """Looks for every image that the lists name, each once; opens them only to `decode`.
    Items of another form are for ingest to complain of."""
    places: dict[str, Place] = {}
    folders: Folders = defaultdict(lambda: defaultdict(set))
    faults = []
    for wanted in lists:
        try:
            for item in stream_list(wanted.path):
                if isinstance(item, Oversized):
                    name = item.member("image")
                else:
                    name = item.get("image") if isinstance(item, dict) else None
                if name and isinstance(name, str):
                    _sort_in(name, wanted, places, folders)
        except (OSError, ValueError) as error:
            reason = f"it breaks off: {error}" if isinstance(error, BrokenTail) else str(error)
            faults.append(ListFault(wanted.title, str(wanted.path), reason))
    for key, names_by_folder in sorted(folders.items()):
        place = places[key]
        paths: list[str] = []
        for folder, names in sorted(names_by_folder.items()):
            place.needed += len(names)
            paths += _look(place, folder, names)
            tick(0 if decode else len(names))
        if decode:
            starts = range(0, len(paths), DECODED_AT_ONCE)
            batches = [paths[at : at + DECODED_AT_ONCE] for at in starts]
            processes = default_processes() if len(batches) > 1 else 1
            decoded = in_order(_unreadable, batches, processes, "decoded images")
            for batch, faulty in zip(batches, decoded, strict=True):
                tick(len(batch))
                for fault in faulty:
                    place.fault("broken", fault)
    return Checked([places[key] for key in sorted(places)], faults)


def _sort_in(name: str, wanted: ImageList, places: dict[str, Place], folders: Folders) -> None:
    # one place a folder would be too many where a list has them by the thousand, as CC3M's may
    key = str(wanted.images_dir)
    place = Place(wanted.title, key, wanted.published)
    try:
        folder, base = os.path.split(inside(wanted.images_dir, name))
    except RefusedImage as error:
        places.setdefault(key, place).fault("refused", str(error))
        return
    for known in COLLECTIONS:
        if f"/{folder}".endswith(f"/{known.folder}"):
            key, place = folder, Place(known.title, folder, known.published, known.remark)
    places.setdefault(key, place)
    folders[key][folder].add(base)


def _look(place: Place, folder: str, names: set[str]) -> list[str]:
    """The paths that are there, folders listed but once; the others are counted."""
    try:
        with os.scandir(folder) as entries:
            there = {entry.name for entry in entries if entry.is_file()}
    except (FileNotFoundError, NotADirectoryError):
        there = set()
    paths = [f"{folder}/{name}" for name in sorted(names & there)]
    for name in sorted(names - there):
        path = Path(folder, name)
        try:
            if stored(path) is not None:
                paths.append(str(path))
                continue
        except UnreadableImage as error:
            place.fault("broken", str(error))
            continue
        likes = [name for name in (path.stem + end for end in ENDINGS) if name in there]
        place.fault("missing", f"{path}" + (f" ({likes[0]} is there)" if likes else ""))
    return paths


def _unreadable(paths: list[str]) -> list[str]:
    """Path and reason of each picture that can't be read."""
    faults = []
    for path in paths:
        try:
            load_picture(Path(path))
        except UnreadableImage as error:
            faults.append(f"{path}: {str(error).removeprefix(f'cannot read image {path}: ')}")
    return faults
