"""A trained checkpoint to talk to: answers come piece by piece, and can be stopped."""

import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from transformers import StoppingCriteriaList, TextIteratorStreamer

from palo.errors import UserError
from train.data.images import UnreadableImage, load_picture, pixel_values
from train.data.steps import Item
from train.data.template import Encoded, Round, Template
from train.model.checkpoint import CheckpointModel

BROKEN = "\ufffd"  # what a decoder shows for bytes that are not yet, or never will be, a character


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
class Prompt:
    """Token ids (the image is one), how many tokens may follow, and how many rounds fell away."""

    ids: tuple[int, ...]
    new_tokens: int
    rounds_dropped: int


def make_prompt(
    template: Template,
    conversation: Conversation,
    question: str,
    max_new_tokens: int,
    max_tokens: int,
    image_tokens: int,
) -> Prompt:
    """The prompt for the next question; whole early rounds are dropped until it fits.

    The picture never is: it moves to the first round that is left, where training has it.
    `max_tokens` hold prompt and answer. Room is kept for an answer of `max_new_tokens`, or for a
    quarter of all where that is less. Raises TooLong.
    """
    has_image, rounds = conversation.pixels is not None, conversation.rounds
    reserved = min(max_new_tokens, max_tokens // 4)
    for dropped in range(len(rounds) + 1):
        before = [
            Round(asked, answer, has_image and index == 0)
            for index, (asked, answer) in enumerate(rounds[dropped:])
        ]
        ids = template.prompt(question, has_image and not before, before)
        room = max_tokens - Encoded(ids, ids).length(image_tokens)
        if room >= reserved:
            return Prompt(ids, min(max_new_tokens, room), dropped)
    raise TooLong(
        f"The question is too long: with template and picture {max_tokens - room} tokens, where "
        f"{max_tokens - reserved} leave room for an answer."
    )


@dataclass(frozen=True)
class Sampling:
    """Greedy unless `temperature` is more than 0; then the same seed gives the same answer."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    max_new_tokens: int = 256


@dataclass(frozen=True)
class Reply:
    """A finished answer; `rounds_dropped` early ones had to go to make it fit."""

    text: str
    end: End
    num_tokens: int
    rounds_dropped: int


class Talker(CheckpointModel):
    """`max_tokens` is the longest conversation that the checkpoint was trained on."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        super().__init__(folder)
        positions = self.model.config.text_config.max_position_embeddings
        self.max_tokens = min(max_tokens, positions)
        self.busy = threading.Lock()  # one answer at a time: the random state is the process's

    def look_at(self, picture: Path) -> Conversation:
        """A new conversation about a picture. Raises UserError where it can't be read."""
        try:
            return Conversation(pixel_values([load_picture(picture)], self.processor)[0])
        except UnreadableImage as error:
            reason = str(error)
            raise UserError(f"{reason[0].upper()}{reason[1:]}") from None

    def ask(self, conversation: Conversation, question: str, sampling: Sampling) -> "Answering":
        """Begins to answer; the round joins the conversation once it has ended. Raises TooLong."""
        question = question.strip()
        limits = (sampling.max_new_tokens, self.max_tokens, self.packer.image_tokens)
        prompt = make_prompt(self.template, conversation, question, *limits)
        return Answering(self, conversation, question, prompt, sampling)


class Answering:
    """An answer on its way: iterate for its pieces; `reply` is there afterwards."""

    def __init__(
        self,
        talker: Talker,
        conversation: Conversation,
        question: str,
        prompt: Prompt,
        sampling: Sampling,
    ) -> None:
        self._talker, self._conversation, self._question = talker, conversation, question
        self._prompt, self._sampling = prompt, sampling
        self._streamer = CharacterStreamer(talker.tokenizer)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._last_token: int | None = None
        self.reply: Reply | None = None

    def stop(self) -> None:
        """No more tokens after the one that is being made; may be called from any thread."""
        self._stop.set()

    def __iter__(self) -> Generator[str, None, None]:
        """Pieces of text. Left early, it stops, and what was said is a round all the same."""
        with self._talker.busy:
            thread = threading.Thread(target=self._generate, name="answer", daemon=True)
            thread.start()
            said = ""
            try:
                for piece in filter(None, self._streamer):
                    said += piece
                    yield piece
            finally:
                self.stop()
                thread.join()
                self._finish(said.rstrip())
        if self._error is not None:
            raise self._error

    def _finish(self, text: str) -> None:
        if self._last_token == self._talker.tokenizer.eos_token_id:
            end = End.DONE
        elif self._streamer.num_tokens >= self._prompt.new_tokens:
            end = End.LENGTH
        else:
            end = End.STOPPED
        self._conversation.add(self._question, text)
        dropped = self._prompt.rounds_dropped
        del self._conversation.rounds[:dropped]  # else they would be dropped again, and said so
        self.reply = Reply(text, end, self._streamer.num_tokens, dropped)

    def _generate(self) -> None:
        try:
            self._last_token = int(self._written()[0, -1])
        except BaseException as error:  # raised where the answer is read
            self._error = error
        finally:
            self._streamer.end()

    def _written(self) -> torch.Tensor:
        """The answer's tokens, (1, n)."""

        def stopped(input_ids: torch.Tensor, scores: Any, **unused: Any) -> torch.Tensor:
            return torch.full((len(input_ids),), self._stop.is_set(), device=input_ids.device)

        sampling = self._sampling
        how: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            torch.manual_seed(sampling.seed)
            how = {"do_sample": True, "temperature": sampling.temperature}
            how |= {"top_p": sampling.top_p, "top_k": 0}
        return self._talker.generate(
            [Item(Encoded(self._prompt.ids, ()), self._conversation.pixels)],
            self._prompt.new_tokens,
            eos_token_id=self._talker.tokenizer.eos_token_id,
            streamer=self._streamer,
            stopping_criteria=StoppingCriteriaList([stopped]),
            **how,
        )


class CharacterStreamer(TextIteratorStreamer):
    """Tokens into text as they come, never in the middle of a character; iterate for the pieces.

    transformers' own holds a text back to its last blank or Han character, so Japanese kana come
    only at the end of an answer, and Chinese characters of several tokens late.
    """

    def __init__(self, tokenizer: Any) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._ids: list[int] = []
        self._shown = 0

    @property
    def num_tokens(self) -> int:
        return len(self._ids)

    def put(self, value: Any) -> None:
        """`value` holds the prompt at first, then one token at a time."""
        if self.next_tokens_are_prompt:
            self.next_tokens_are_prompt = False
            return
        self._ids += value.reshape(-1).tolist()
        self._show(self._text().rstrip(BROKEN))

    def end(self) -> None:
        """What is still broken now is part of the answer."""
        self._show(self._text())
        self.next_tokens_are_prompt = True
        self.on_finalized_text("", stream_end=True)

    def _text(self) -> str:
        # the blank after `ASSISTANT:` belongs to the template
        return str(self.tokenizer.decode(self._ids, **self.decode_kwargs)).lstrip()

    def _show(self, whole: str) -> None:
        """A byte that is new may break, for the moment, characters before it: then nothing is."""
        if len(whole) > self._shown:
            self.on_finalized_text(whole[self._shown :])
            self._shown = len(whole)
