"""What the page asks of a model: a tab's conversation is what its chat shows."""

import html
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from train.talk.conversation import Conversation, End
from train.talk.talker import Answering, Reply, Sampling, Talker

Message = dict[str, Any]


class Answers:
    """`running` are the answers on their way, by browser tab."""

    def __init__(self, talker: Talker, sampling: Sampling) -> None:
        self.talker, self.sampling = talker, sampling
        self.running: dict[str, Answering] = {}

    def stream(
        self, tab: str, question: str, history: Sequence[Message], picture: str | None
    ) -> Iterator[tuple[str, Reply | None]]:
        """The answer so far, again and again; at last with the whole reply, unless given up.

        Raises UserError.
        """
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

    def stop(self, tab: str) -> None:
        if (answering := self.running.get(tab)) is not None:
            answering.stop()

    def give_up(self, tab: str) -> None:
        """Stops the answer, which nobody will see: the conversation is another by now."""
        if (answering := self.running.pop(tab, None)) is not None:
            answering.stop()


def rounds_of(history: Sequence[Message]) -> list[tuple[str, str]]:
    """Questions that were answered, out of the chat's messages."""
    texts = [(one["role"], text_of(one["content"])) for one in history]
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


def remark(reply: Reply) -> str:
    """What there is to say of a finished answer, if anything."""
    said = []
    if reply.rounds_dropped:
        said.append("The first rounds no longer fit and are forgotten; the picture is not.")
    if reply.end is End.LENGTH:
        said.append(f"Cut after {reply.num_tokens} tokens.")
    if reply.end is End.STOPPED:
        said.append("Stopped.")
    if not reply.text:
        said.append("No words came.")
    return " ".join(said)
