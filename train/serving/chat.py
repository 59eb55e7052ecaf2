"""A trained checkpoint to talk to: answers come piece by piece, here in the terminal or a pipe."""

import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TextIO

import torch
from transformers import StoppingCriteriaList, TextIteratorStreamer

from palo.checks.language import LanguageId
from palo.errors import UserError
from palo.files import read_yaml
from palo.languages import LANGUAGES, Language, info, parse_language
from train.data.images import UnreadableImage, load_picture, pixel_values
from train.data.steps import Item
from train.data.template import Encoded, Round, Template
from train.model.checkpoint import CheckpointModel

HELP = """/image PATH  a new conversation about this picture
/new         a new conversation about the same picture
/lang CODE   the language to expect answers in (en zh fr es ru ja ar hi bn ur)
/help        this
/quit        leave (Ctrl-D too); Ctrl-C stops an answer"""
BROKEN = "\ufffd"  # what a decoder shows for bytes that are not yet, or never will be, a character
_CONTROL = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class End(StrEnum):
    """Why an answer ended."""

    DONE = "done"  # the model said so
    LENGTH = "length"  # as many tokens as it may have
    STOPPED = "stopped"  # by whoever asked


@dataclass
class Conversation:
    """Rounds of questions and answers, about one picture or none, for models are so trained."""

    pixels: Any = None  # (3, image_size, image_size)
    rounds: list[tuple[str, str]] = field(default_factory=list)


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
    quarter of all where that is less. Raises UserError where that is too little.
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
    raise UserError(
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

    def remarks(self, on_page: bool = False) -> Iterator[str]:
        """What there is to say of it, if anything; a page has no options."""
        if self.rounds_dropped:
            which = "rounds" if on_page else f"{self.rounds_dropped} of the rounds"
            yield f"The first {which} no longer fit and are forgotten; the picture is not."
        if self.end is End.LENGTH:
            more = "." if on_page else ": --max-new-tokens allows more."
            yield f"Cut after {self.num_tokens} tokens{more}"
        if self.end is End.STOPPED:
            yield "Stopped."
        if not self.text:
            yield "No words came."


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
        """Begins to answer; ended, it joins the conversation. Raises UserError: too long."""
        question = question.strip()
        limits = (sampling.max_new_tokens, self.max_tokens, self.packer.image_tokens)
        prompt = make_prompt(self.template, conversation, question, *limits)
        return Answering(self, conversation, question, prompt, sampling)


@dataclass(eq=False)
class Answering:
    """An answer on its way: iterate for its pieces; `reply` is there afterwards."""

    talker: Talker
    conversation: Conversation
    question: str
    prompt: Prompt
    sampling: Sampling
    reply: Reply | None = None

    def __post_init__(self) -> None:
        self._streamer = CharacterStreamer(self.talker.tokenizer)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._last_token: int | None = None

    def stop(self) -> None:
        """No more tokens after the one that is being made; may be called from any thread."""
        self._stop.set()

    def __iter__(self) -> Generator[str, None, None]:
        """Pieces of text. Left early, it stops, and what was said is a round all the same."""
        with self.talker.busy:
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
        num_tokens, dropped = len(self._streamer.ids), self.prompt.rounds_dropped
        end = End.LENGTH if num_tokens >= self.prompt.new_tokens else End.STOPPED
        if self._last_token == self.talker.tokenizer.eos_token_id:
            end = End.DONE
        if text:  # training has no rounds without an answer
            self.conversation.rounds.append((self.question, text))
        del self.conversation.rounds[:dropped]  # else they would be dropped again, and said so
        self.reply = Reply(text, end, num_tokens, dropped)

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

        sampling = self.sampling
        how: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            torch.manual_seed(sampling.seed)
            how = {"do_sample": True, "temperature": sampling.temperature}
            how |= {"top_p": sampling.top_p, "top_k": 0}
        return self.talker.generate(
            [Item(Encoded(self.prompt.ids, ()), self.conversation.pixels)],
            self.prompt.new_tokens,
            eos_token_id=self.talker.tokenizer.eos_token_id,
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
        self.ids: list[int] = []
        self._shown = 0

    def put(self, value: Any) -> None:
        """`value` holds the prompt at first, then one token at a time."""
        if self.next_tokens_are_prompt:
            self.next_tokens_are_prompt = False
            return
        self.ids += value.reshape(-1).tolist()
        self._show(self._text().rstrip(BROKEN))

    def end(self) -> None:
        """What is still broken now is part of the answer."""
        self._show(self._text())
        self.next_tokens_are_prompt = True
        self.on_finalized_text("", stream_end=True)

    def _text(self) -> str:
        # the blank after `ASSISTANT:` belongs to the template
        return str(self.tokenizer.decode(self.ids, **self.decode_kwargs)).lstrip()

    def _show(self, whole: str) -> None:
        """A byte that is new may break, for the moment, characters before it: then nothing is."""
        if len(whole) > self._shown:
            self.on_finalized_text(whole[self._shown :])
            self._shown = len(whole)


def printable(text: str) -> str:
    """Without control characters: a model must not command the terminal."""
    return text.translate(_CONTROL)


@dataclass
class Chat:
    """Questions in, answers out; notices go to the standard error."""

    talker: Talker
    sampling: Sampling
    image: Path | None
    lang: Language | None
    interactive: bool

    def __post_init__(self) -> None:
        self.conversation = self.talker.look_at(self.image) if self.image else Conversation()

    def ask(self, question: str) -> Reply:
        """Prints the answer; on a terminal Ctrl-C stops it and ends here."""
        try:
            question.encode("utf-8")
        except UnicodeEncodeError:  # bytes of the command line that are no text
            raise UserError("The question is not UTF-8.") from None
        answering = self.talker.ask(self.conversation, question, self.sampling)
        pieces = iter(answering)
        try:
            for piece in pieces:
                print(printable(piece), end="", flush=True)
        except KeyboardInterrupt:
            pieces.close()  # waits for the token that is being made
            if not self.interactive or answering.reply is None:
                raise
        print(flush=True)
        assert answering.reply is not None
        for text in answering.reply.remarks():
            self.notice(text)
        if self.lang:
            row, text = info(self.lang), answering.reply.text
            detected = LanguageId().detect(text, self.lang).lang
            if detected and detected != self.lang:
                self.notice(f"That is not {row.name}, it seems: ask in {row.native_name}.")
        return answering.reply

    def notice(self, text: str) -> None:
        print(f"[{text}]", file=sys.stderr, flush=True)

    def follow(self, lines: Iterator[str]) -> None:
        """One line after another until they end or one says /quit; a mistake ends nothing."""
        for line in filter(None, map(str.strip, lines)):
            if line == "/quit":
                return
            try:
                if line.startswith("/"):
                    self._command(line)
                else:
                    self.ask(line)
            except UserError as error:
                self.notice(str(error))
            except KeyboardInterrupt:
                if not self.interactive:
                    raise
                self.notice("Stopped.")

    def _command(self, line: str) -> None:
        name, _, rest = line.partition(" ")
        rest = rest.strip()
        if name == "/help":
            print(HELP, file=sys.stderr)
        elif name == "/new":
            self.conversation = Conversation(self.conversation.pixels)
            self.notice("A new conversation.")
        elif name == "/lang":
            self.lang = parse_language(rest)
            self.notice(hint(self.lang))
        elif name != "/image":
            raise UserError(f"Unknown command {name}. /help lists them.")
        elif not rest:
            raise UserError("Which picture? /image PATH")
        else:
            self.conversation = self.talker.look_at(Path(rest.strip("'\"")).expanduser())
            self.notice("A new conversation about this picture.")


@cache
def phrases() -> dict[Language, dict[str, str]]:
    """What each language says in the empty field and on the page's buttons."""
    return dict(read_yaml(__file__, "phrases.yaml"))


def hint(lang: Language | None) -> str:
    """How to go on; in that language, where one was chosen."""
    if lang is None:
        return "Ask in any of: " + ", ".join(row.native_name for row in LANGUAGES.values())
    return f"{info(lang).native_name}: {phrases()[lang]['ask']}"


def lines_of_a_terminal() -> Iterator[str]:
    """Until Ctrl-D; Ctrl-C drops the line being typed."""
    with suppress(ImportError):  # editing and history, where Python has them
        import readline  # noqa: F401

    while True:
        try:
            yield input("> ")
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print("\n[Ctrl-D or /quit leaves]")


def lines_of(stream: TextIO) -> Iterator[str]:
    """Of a pipe or a file."""
    try:
        yield from stream
    except UnicodeDecodeError:
        raise UserError("What came through the pipe is not UTF-8.") from None
