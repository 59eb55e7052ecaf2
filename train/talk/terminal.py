"""A conversation in the terminal, or with what comes through a pipe."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from palo.checks.language import LanguageId
from palo.errors import UserError
from palo.languages import LANGUAGES, Language, info
from train.talk.interface import parse_language, phrases
from train.talk.talker import Conversation, End, Reply, Sampling, Talker

HELP = """/image PATH  a new conversation about this picture
/new         a new conversation about the same picture
/lang CODE   the language to expect answers in (en zh fr es ru ja ar hi bn ur)
/help        this
/quit        leave (Ctrl-D too); Ctrl-C stops an answer"""
_CONTROL = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """Without control characters: a model must not command the terminal."""
    return text.translate(_CONTROL)


class Chat:
    """Questions in, answers out; a notice goes to `notices`, an answer to `out`."""

    def __init__(
        self,
        talker: Talker,
        sampling: Sampling,
        image: Path | None,
        lang: Language | None,
        interactive: bool = False,
        out: TextIO | None = None,
        notices: TextIO | None = None,
    ) -> None:
        self.talker, self.sampling, self.lang = talker, sampling, lang
        self.interactive = interactive
        self.out, self.notices = out or sys.stdout, notices or sys.stderr
        self.conversation = talker.look_at(image) if image else Conversation()

    def ask(self, question: str) -> Reply:
        """Answers on `out`. On a terminal Ctrl-C stops the answer and ends here. Raises TooLong."""
        answering = self.talker.ask(self.conversation, question, self.sampling)
        pieces = iter(answering)
        try:
            for piece in pieces:
                print(printable(piece), end="", file=self.out, flush=True)
        except KeyboardInterrupt:
            pieces.close()  # waits for the token that is being made
            if not self.interactive or answering.reply is None:
                raise
        print(file=self.out, flush=True)
        assert answering.reply is not None
        for text in self._remarks(answering.reply):
            self.notice(text)
        return answering.reply

    def notice(self, text: str) -> None:
        print(f"[{text}]", file=self.notices, flush=True)

    def _remarks(self, reply: Reply) -> Iterator[str]:
        if reply.rounds_dropped:
            yield (
                f"The first {reply.rounds_dropped} of the rounds no longer fit and are forgotten; "
                "the picture is not."
            )
        if reply.end is End.LENGTH:
            yield f"Cut after {reply.num_tokens} tokens: --max-new-tokens allows more."
        if reply.end is End.STOPPED:
            yield "Stopped."
        if not reply.text:
            yield "No words came."
        if self.lang:
            detected, row = LanguageId().detect(reply.text, self.lang).lang, info(self.lang)
            if detected and detected != self.lang:
                yield f"That is not {row.name}, it seems: ask in {row.native_name}."

    def follow(self, lines: Iterator[str]) -> None:
        """One line after another until they end or one says /quit; a mistake ends nothing."""
        for line in lines:
            line = line.strip()
            if not line:
                continue
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
            print(HELP, file=self.notices)
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


def hint(lang: Language | None) -> str:
    """How to go on; in that language, where one was chosen."""
    if lang is None:
        return "Ask in any of: " + ", ".join(row.native_name for row in LANGUAGES.values())
    return f"{info(lang).native_name}: {phrases()[lang].ask}"


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


def clean(text: str) -> str:
    """Raises UserError for bytes of the command line that are no text."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError("The question is not UTF-8.") from None
    return text
