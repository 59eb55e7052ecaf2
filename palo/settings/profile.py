"""Reads pipelines.yaml: profiles (data and models of a run) and pipelines (lists of commands)."""

import os
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from palo.errors import UserError, nearest, unknown
from palo.paths import source_root
from palo.settings.bench import BenchSettings
from palo.settings.model import Section
from palo.settings.refine import RefineSettings
from palo.settings.train import EvaluateSettings, TrainSettings
from palo.settings.translate import SourceSettings, TranslatorSettings
from palo.settings.world import WorldSettings

CONFIG_NAME = "pipelines.yaml"


class Profile(Section):
    """One column of the house plan's profile table; every path is absolute once loaded."""

    name: str
    description: str
    data_dir: Path
    source: SourceSettings
    translator: TranslatorSettings
    refine: RefineSettings = RefineSettings()
    train: TrainSettings
    evaluate: EvaluateSettings
    bench: BenchSettings | None = None
    world: WorldSettings | None = None

    def on(self, source_path: Path | None) -> "Profile":
        """The profile at work on another LLaVA file, or on a bench folder (which has its images
        in it), in a data folder of its own."""
        if source_path is None:
            return self
        path = source_path.absolute()
        images = path / "images" if path.is_dir() else None
        source = SourceSettings(path=path, images_dir=images, shard_rows=self.source.shard_rows)
        data_dir = source_root(self.data_dir, source_path)
        return self.model_copy(update={"source": source, "data_dir": data_dir})


class Step(Section):
    """One command of a pipeline."""

    title: str
    run: str
    needs: str | None = None  # a module without which the step is left out
    aside: bool = False  # runs beside the steps after it
    joins: bool = False  # first waits for all that run beside


class Config(Section):
    default_profile: str
    profiles: dict[str, Profile]
    pipelines: dict[str, tuple[Step, ...]] = {}


def config_path() -> Path:
    """PALO_CONFIG, or pipelines.yaml in this folder or one above it."""
    if given := os.environ.get("PALO_CONFIG"):
        return Path(given)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder / CONFIG_NAME
    raise UserError(f"No {CONFIG_NAME} in {here} or above. Run palo inside its checkout.")


def load_config(path: Path) -> Config:
    """Raises UserError that names the file, the key and the nearest known key."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"No settings file {path}.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path} must hold a mapping with profiles and default_profile.")
    profiles = raw.get("profiles")
    if isinstance(profiles, dict):
        for name, profile in profiles.items():
            if isinstance(profile, dict):
                profile.setdefault("name", name)
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{path}: " + "; ".join(explain(error, Config))) from None
    root = path.resolve().parent
    absolute = {name: _absolute(profile, root) for name, profile in config.profiles.items()}
    return config.model_copy(update={"profiles": absolute})


def load_profile(name: str | None = None, path: Path | None = None) -> Profile:
    """The named profile, or PROFILE of the environment, or the file's default."""
    config = load_config(path or config_path())
    wanted = name or os.environ.get("PROFILE") or config.default_profile
    if wanted not in config.profiles:
        raise unknown("profile", wanted, config.profiles)
    return config.profiles[wanted]


def _absolute(model: Any, root: Path) -> Any:
    """The same settings with every relative path (and model folder) hung under `root`."""
    updates: dict[str, Any] = {}
    for key in type(model).model_fields:
        value = getattr(model, key)
        if isinstance(value, Path):
            updates[key] = root / value
        elif isinstance(value, BaseModel):
            updates[key] = _absolute(value, root)
        elif key == "model" and isinstance(value, str) and value.startswith(("./", "data/")):
            updates[key] = str(root / value)
    return model.model_copy(update=updates)


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Pydantic's findings as sentences, with the nearest known key for an unknown one."""
    lines = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            known = _keys_at(model, item["loc"][:-1])
            close = nearest(str(item["loc"][-1]), known)
            hint = f" Did you mean '{close}'?" if close else f" Known: {' '.join(sorted(known))}."
            lines.append(f"Unknown setting '{where}'.{hint}")
        else:
            lines.append(f"Setting '{where}' = {item['input']!r}: {item['msg']}.")
    return lines


def _keys_at(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """The keys that the section at `location` knows."""
    annotation: Any = model
    for part in location:
        if get_origin(annotation) in (dict, tuple):  # `part` is a profile's name, a step's number
            annotation = next(arg for arg in get_args(annotation) if _inner(arg))
        else:
            annotation = _inner(annotation).model_fields[str(part)].annotation
    return list(_inner(annotation).model_fields)


def _inner(annotation: Any) -> Any:
    """The settings model inside `X | None`, `dict[str, X]`, `tuple[X, ...]` or X itself."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        if (found := _inner(part)) is not None:
            return found
    return None
