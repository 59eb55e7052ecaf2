"""The page of `palo demo-ui`: a picture, a conversation about it, ten languages, examples.

Everything the page shows comes from this process and Gradio's own package; texts are shown as they
are, for a model's Markdown could fetch pictures from anywhere. `require_gradio` comes before this
module's import.
"""

import html
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import gradio as gr

from palo.errors import UserError
from palo.files import read_yaml
from palo.languages import ENGLISH, LANGUAGES, Language, info
from palo.settings import EvaluateSettings
from train.serving.chat import Answering, Conversation, Reply, Sampling, Talker, phrases
from train.serving.server import Address

MAX_PICTURES = 6
MAX_QUESTIONS = 4
_OPTIONS = read_yaml(__file__, "page.yaml")

Message = dict[str, Any]


@dataclass
class ExamplePicture:
    """To begin with; a language has at most MAX_QUESTIONS `questions`, each of another kind."""

    image: Path
    questions: dict[Language, list[str]] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)


def load_examples(settings: EvaluateSettings) -> list[ExamplePicture]:
    """The first pictures of the held-out questions, if any; what only takes seeing comes first."""
    if not settings.questions_path.is_file():
        return []
    with settings.questions_path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    pictures: dict[str, ExamplePicture] = {}
    for row in sorted(rows, key=lambda row: bool(row.get("reasoning"))):
        if row["image"] not in pictures:
            if len(pictures) == MAX_PICTURES:
                continue
            pictures[row["image"]] = ExamplePicture(settings.images_dir / row["image"])
        picture, kind = pictures[row["image"]], row.get("kind", "")
        if len(picture.kinds) == MAX_QUESTIONS or (kind and kind in picture.kinds):
            continue
        picture.kinds.append(kind)
        for lang, question in row["questions"].items():
            if lang in LANGUAGES:
                picture.questions.setdefault(Language(lang), []).append(question)
    return [picture for picture in pictures.values() if picture.image.is_file()]


class Answers:
    """`running` are those on their way, by browser tab: its chat shows its conversation."""

    def __init__(self, talker: Talker, sampling: Sampling) -> None:
        self.talker, self.sampling = talker, sampling
        self.running: dict[str, Answering] = {}

    def stream(
        self, tab: str, question: str, history: Sequence[Message], picture: str | None
    ) -> Iterator[tuple[str, Reply | None]]:
        """The answer so far, again and again; at last, unless given up, with the whole reply."""
        conversation = self.talker.look_at(Path(picture)) if picture else Conversation()
        conversation.rounds = rounds_of(history)
        answering = self.talker.ask(conversation, question, self.sampling)
        self.running[tab] = answering
        said = ""
        try:
            for piece in answering:
                said += piece
                if self.running.get(tab) is not answering:
                    return
                yield said, None
            wanted = self.running.get(tab) is answering
        finally:
            if self.running.get(tab) is answering:
                del self.running[tab]
        if wanted and answering.reply is not None:
            yield answering.reply.text, answering.reply

    def stop(self, tab: str, unseen: bool = False) -> None:
        """`unseen`: nobody will see the answer, for the conversation is another by now."""
        take = self.running.pop if unseen else self.running.get
        if (answering := take(tab, None)) is not None:
            answering.stop()


def rounds_of(history: Sequence[Message]) -> list[tuple[str, str]]:
    """Questions that were answered, out of the chat's messages."""
    texts = [(message["role"], text_of(message["content"])) for message in history]
    return [
        (question, answer)
        for (asker, question), (teller, answer) in pairwise(texts)
        if (asker, teller) == ("user", "assistant") and answer
    ]


def message(role: str, text: str) -> Message:
    """Of the chat, which takes even plain texts for HTML: a tag in a text must stay a text."""
    return {"role": role, "content": html.escape(text, quote=False)}


def text_of(content: Any) -> str:
    """What `message` was given, of what Gradio hands back: a text, or a list of parts."""
    if isinstance(content, str):
        return html.unescape(content)
    if isinstance(content, dict):
        return text_of(content.get("text", ""))
    return "".join(text_of(part) for part in content)


class Page:
    """Lays the page out and says what each part does; handlers give updates by component."""

    def __init__(
        self,
        talker: Talker,
        sampling: Sampling,
        examples: Sequence[ExamplePicture],
        title: str,
        is_standin: bool,
    ) -> None:
        self.answers, self.examples = Answers(talker, sampling), examples
        with gr.Blocks(title=title, delete_cache=(3600, 3600), **_OPTIONS["page"]) as self.blocks:
            limits = _OPTIONS["limits"]["standin" if is_standin else "model"]
            gr.Markdown(f"# {title}\n{limits}", elem_id="title")
            self._lay_out()
            self._connect()

    def launch(self, address: Address) -> None:
        """Serves the page in threads of this process."""
        self.blocks.queue(**_OPTIONS["queue"]).launch(
            server_name=address.host,
            server_port=address.port,
            allowed_paths=[str(picture.image) for picture in self.examples],
            theme=gr.themes.Soft(**_OPTIONS["theme"]),
            css=Path(__file__).with_name("page.css").read_text(encoding="utf-8"),
            **_OPTIONS["launch"],
        )

    def serve(self, address: Address) -> None:
        """Until Ctrl-C."""
        self.launch(address)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
        self.blocks.close(verbose=False)

    def _lay_out(self) -> None:
        words = phrases()[ENGLISH]
        names = [(row.native_name, str(code)) for code, row in LANGUAGES.items()]
        self.language = gr.Radio(names, value=str(ENGLISH), **_OPTIONS["language"])
        self.example = gr.State(None)
        with gr.Row():
            with gr.Column(scale=2, min_width=280):
                self.picture = gr.Image(label=words["picture"], **_OPTIONS["picture"])
                self.heading = gr.Markdown(words["examples"], visible=bool(self.examples))
                pictures = [str(picture.image) for picture in self.examples]
                self.gallery = gr.Gallery(pictures, visible=bool(pictures), **_OPTIONS["gallery"])
            with gr.Column(scale=3, min_width=320):
                self.chat = gr.Chatbot(**_OPTIONS["chat"])
                with gr.Row(elem_id="questions") as self.row:
                    self.questions = [
                        gr.Button(visible=False, size="sm", min_width=0)
                        for _ in range(MAX_QUESTIONS)
                    ]
                self.box = gr.Textbox(placeholder=words["ask"], **_OPTIONS["box"])
                with gr.Row():
                    self.send = gr.Button(words["send"], variant="primary", elem_id="send")
                    self.stop = gr.Button(words["stop"], interactive=False, elem_id="stop")
                    self.new = gr.Button(words["new"], elem_id="new")
                self.status = gr.Markdown(elem_id="status")

    def _connect(self) -> None:
        hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        at_once = {**hidden, "queue": False}
        one_by_one = {**hidden, "concurrency_limit": 1, "concurrency_id": "answers"}
        parts = [self.chat, self.box, self.send, self.stop, self.new, self.status]
        answering = [*parts, *self.questions]
        typed = [self.box, self.chat, self.picture]
        gr.on([self.box.submit, self.send.click], self._answer, typed, answering, **one_by_one)
        for button in self.questions:
            asked = [button, self.chat, self.picture]
            button.click(self._answer, asked, answering, **one_by_one)
        self.stop.click(self._stop, None, None, **at_once)
        self.new.click(self._clear, None, [self.chat, self.status], **at_once)
        shown = [self.picture, self.example, self.chat, self.status, *self.questions]
        self.gallery.select(self._choose, [self.language], shown, **at_once)
        gr.on([self.picture.upload, self.picture.clear], self._own_picture, None, shown, **at_once)
        worded = [self.chat, self.box, self.send, self.stop, self.new, self.picture, self.heading]
        spoken, picked = [*worded, self.row, *self.questions], [self.language, self.example]
        self.language.change(self._speak, picked, spoken, **at_once)

    def _answer(
        self, question: str, history: list[Message], picture: str | None, request: gr.Request
    ) -> Iterator[dict[Any, Any]]:
        question = (question or "").strip()
        if not question:
            yield {self.status: ""}
            return
        asked = [*history, message("user", question)]
        yield {self.chat: asked, self.box: "", self.status: "", **self._busy(True)}
        try:
            tab = str(request.session_hash)
            for text, reply in self.answers.stream(tab, question, history, picture):
                shown = [*asked, message("assistant", text)]
                if reply is None:
                    yield {self.chat: shown}
                else:
                    kept = shown if text else list(history)
                    yield {self.chat: kept, self.status: " ".join(reply.remarks(on_page=True))}
        except UserError as error:
            yield {self.chat: list(history), self.box: question, self.status: str(error)}
        yield self._busy(False)

    def _busy(self, busy: bool) -> dict[Any, Any]:
        """Nothing that changes the conversation can be touched while an answer comes."""
        free = gr.update(interactive=not busy)
        others = (self.send, self.new, self.box, *self.questions)
        return {self.stop: gr.update(interactive=busy), **dict.fromkeys(others, free)}

    def _stop(self, request: gr.Request) -> None:
        self.answers.stop(str(request.session_hash))

    def _clear(self, request: gr.Request) -> dict[Any, Any]:
        self.answers.stop(str(request.session_hash), unseen=True)
        return {self.chat: [], self.status: ""}

    def _choose(self, lang: str, event: gr.SelectData, request: gr.Request) -> dict[Any, Any]:
        """An example picture, and what may be asked of it."""
        picture = str(self.examples[event.index].image)
        shown = {self.picture: picture, self.example: event.index, **self._clear(request)}
        return {**shown, **self._questions(lang, event.index)}

    def _own_picture(self, request: gr.Request) -> dict[Any, Any]:
        return {self.example: None, **self._clear(request), **self._questions(str(ENGLISH), None)}

    def _questions(self, lang: str, example: int | None) -> dict[Any, Any]:
        texts = [] if example is None else self.examples[example].questions.get(Language(lang), [])
        texts = [*texts, *[""] * (MAX_QUESTIONS - len(texts))]
        return {
            button: gr.update(value=text, visible=bool(text))
            for button, text in zip(self.questions, texts, strict=True)
        }

    def _speak(self, lang: str, example: int | None) -> dict[Any, Any]:
        """The page in another language; what was said stays."""
        update, words = gr.update, phrases()[Language(lang)]
        rtl = info(lang).right_to_left
        classes = [f"lang-{lang}", "rtl" if rtl else "ltr"]
        return {
            self.chat: update(rtl=rtl, elem_classes=classes),
            self.box: update(placeholder=words["ask"], rtl=rtl, elem_classes=classes),
            self.send: update(value=words["send"]),
            self.stop: update(value=words["stop"]),
            self.new: update(value=words["new"]),
            self.picture: update(label=words["picture"]),
            self.heading: update(value=words["examples"]),
            self.row: update(elem_classes=classes),
            **self._questions(lang, example),
        }
