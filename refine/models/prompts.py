"""Reads prompts.yaml: what language models are asked."""

from functools import cache
from importlib import resources

import yaml

from palo.files import digest


def prompt(name: str, **parts: str) -> str:
    return _table()[name].format(**parts)


def prompts_version() -> str:
    return digest(_table())


@cache
def _table() -> dict[str, str]:
    text = resources.files(__package__).joinpath("prompts.yaml").read_text("utf-8")
    table: dict[str, str] = yaml.safe_load(text)
    return table
