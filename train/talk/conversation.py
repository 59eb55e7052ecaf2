"""A conversation with a model: its rounds, and the prompt of the next one, token for token as in
training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from palo.errors import UserError
from train.data.template import Encoded, Round, Template


class End(StrEnum):
    """Why an answer ended."""

    DONE = "done"  # the model said so
    LENGTH = "length"  # as many tokens as it may have
    STOPPED = "stopped"  # by whoever asked


class TooLong(UserError):
    """A question that does not fit, even with nothing before it."""


@dataclass
class Conversation:
    """Rounds of questions and answers, all about one picture or none.

    `pixels` is (3, image_size, image_size); a new picture is a new conversation, for the models
    have been trained with one picture each.
    """

    pixels: Any = None
    rounds: list[tuple[str, str]] = field(default_factory=list)

    def add(self, question: str, answer: str) -> None:
        """A round without an answer is none: training has no such rounds."""
        if answer:
            self.rounds.append((question, answer))


@dataclass(frozen=True)
class Limits:
    """`tokens` hold prompt and answer; `image_tokens` of them are the image's."""

    tokens: int
    image_tokens: int


@dataclass(frozen=True)
class Prompt:
    """Token ids (the image is one), how many tokens may follow, and how many rounds fell away."""

    ids: tuple[int, ...]
    new_tokens: int
    rounds_dropped: int


def make_prompt(
    template: Template,
    rounds: Sequence[tuple[str, str]],
    question: str,
    has_image: bool,
    limits: Limits,
    max_new_tokens: int,
) -> Prompt:
    """The prompt for `question` after `rounds`; whole early rounds are dropped until it fits.

    The picture never is: it moves to the first round that is left, where training has it. Room is
    kept for an answer of `max_new_tokens`, or for a quarter of all where that is less. Raises
    TooLong.
    """
    reserved = min(max_new_tokens, limits.tokens // 4)
    for dropped in range(len(rounds) + 1):
        ids = _prompt_ids(template, rounds[dropped:], question, has_image)
        room = limits.tokens - Encoded(ids, ids).length(limits.image_tokens)
        if room >= reserved:
            return Prompt(ids, min(max_new_tokens, room), dropped)
    raise TooLong(
        f"The question is too long: with template and picture {limits.tokens - room} tokens, where "
        f"{limits.tokens - reserved} leave room for an answer."
    )


def _prompt_ids(
    template: Template, rounds: Sequence[tuple[str, str]], question: str, has_image: bool
) -> tuple[int, ...]:
    before = [
        Round(asked, answer, has_image and index == 0)
        for index, (asked, answer) in enumerate(rounds)
    ]
    return template.prompt(question, has_image and not before, before)
