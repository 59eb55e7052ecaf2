"""Errors that a person can act on: what failed, the value, how to mend it."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake a user can mend; the front door prints it without a traceback, exit code 2."""

    exit_code = 2


class MissingResource(UserError):
    """Something the profile needs (data, weights, a GPU, a program) is not on this machine."""


class Locked(UserError):
    """Another process is at work on the same data."""


class NotWhole(UserError):
    """What was written is less, or other, than what the source asks for."""

    exit_code = 3


def nearest(value: str, choices: Iterable[str]) -> str | None:
    """The choice most like `value`, or None where nothing comes close."""
    close = difflib.get_close_matches(value.lower(), list(choices), n=1, cutoff=0.5)
    return close[0] if close else None


def unknown(what: str, value: str, choices: Iterable[str], plural: str | None = None) -> UserError:
    """`Unknown language 'urd'. Did you mean 'ur'? Languages: ar bn es ...`"""
    ordered = sorted(choices)
    close = nearest(value, ordered)
    hint = f" Did you mean '{close}'?" if close else ""
    plural = plural or f"{what}s"
    return UserError(f"Unknown {what} '{value}'.{hint} {plural.capitalize()}: {' '.join(ordered)}")


def listed(values: Iterable[object], most: int = 3) -> str:
    """The first few, and how many more there are."""
    texts = list(map(str, values))
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
