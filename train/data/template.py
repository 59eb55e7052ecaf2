"""vicuna_v1: turns into token ids and labels, exactly as the published preprocessing does.

Labels follow from character offsets, not from counting tokens twice, so a text that contains
`ASSISTANT:` or `</s>` is masked right, where the published code gives up on the whole sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from palo.schemas import IMAGE_TAG, Role, Turn

IMAGE_TOKEN = -200  # stands for the whole image until a batch is made
IGNORED = -100  # a label that takes no part in the loss

SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
_SENTINEL = "\n"  # merges with nothing; keeps a tokenizer from adding its prefix space


class BadConversation(ValueError):
    """A sample that cannot be put into the template; the message is the reason."""


@dataclass(frozen=True)
class Encoded:
    """Token ids and labels of one sample, equally long; IMAGE_TOKEN and IGNORED as above."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]

    def length(self, image_tokens: int) -> int:
        """Tokens once the image takes up its `image_tokens` places."""
        return len(self.input_ids) + (image_tokens - 1) * self.input_ids.count(IMAGE_TOKEN)


@dataclass(frozen=True)
class Round:
    """One question and its answer (None: yet to be given); `has_image`: the image comes first."""

    question: str
    answer: str | None
    has_image: bool


@dataclass(frozen=True)
class Span:
    """A run of text between special tokens; characters from `answer_start` on are learned."""

    text: str
    answer_start: int | None = None
    ends: bool = False  # followed by the end token, learned as part of the answer


class Template:
    """The template over one (fast) tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        end = tokenizer.eos_token
        plain = tokenizer("U", add_special_tokens=False).input_ids
        after = tokenizer(end + "U", add_special_tokens=False).input_ids
        # Llama's legacy tokenizers put a prefix space after every special token; others do not.
        self._prefix_after_special = after[1:] == plain

    def encode(self, turns: Sequence[Turn], has_image: bool, max_length: int = 0) -> Encoded:
        """A whole conversation; labels on answers and their end tokens only.

        `max_length` counts the image as one token; whole rounds are dropped from the end until
        the rest fits, and a first round that is too long alone is cut. Raises BadConversation.
        """
        rounds = _rounds(turns, has_image)
        encoded = self._conversation(rounds)
        while max_length and len(encoded.input_ids) > max_length and len(rounds) > 1:
            rounds = rounds[:-1]
            encoded = self._conversation(rounds)
        if max_length:
            return Encoded(encoded.input_ids[:max_length], encoded.labels[:max_length])
        return encoded

    def prompt(self, question: str, has_image: bool) -> tuple[int, ...]:
        """What the model sees before it answers: everything up to `ASSISTANT:`."""
        return self._conversation([Round(question, None, has_image)]).input_ids

    def caption(self, text: str) -> Encoded:
        """Stage 1: the image, its caption, a line break; no words around them (LLaVA's `plain`)."""
        return self._encode([[], [Span(text + "\n", answer_start=0)]])

    def _conversation(self, rounds: Sequence[Round]) -> Encoded:
        chunks: list[list[Span]] = [[]]
        for index, one in enumerate(rounds):
            asked = f"{SYSTEM} USER: " if index == 0 else "USER: "
            if one.has_image:
                chunks[-1].append(Span(asked))
                chunks.append([])
                asked = "\n" if one.question else ""
            asked += f"{one.question} ASSISTANT:"
            if one.answer is None:
                chunks[-1].append(Span(asked))
            else:
                text = f"{asked} {one.answer}"
                chunks[-1].append(Span(text, answer_start=len(asked), ends=True))
        return self._encode(chunks)

    def _encode(self, chunks: Sequence[Sequence[Span]]) -> Encoded:
        """Chunks lie around images; each starts afresh, as the published code tokenises them."""
        ids, labels = [self.tokenizer.bos_token_id], [IGNORED]
        for index, chunk in enumerate(chunks):
            if index:
                ids.append(IMAGE_TOKEN)
                labels.append(IGNORED)
            for place, span in enumerate(chunk):
                self._add(span, place == 0, ids, labels)
        return Encoded(tuple(ids), tuple(labels))

    def _add(self, span: Span, fresh: bool, ids: list[int], labels: list[int]) -> None:
        for token, end in self._tokens(span.text, fresh):
            learned = span.answer_start is not None and end > span.answer_start
            ids.append(token)
            labels.append(token if learned else IGNORED)
        if span.ends:
            ids.append(self.tokenizer.eos_token_id)
            labels.append(self.tokenizer.eos_token_id)

    def _tokens(self, text: str, fresh: bool) -> list[tuple[int, int]]:
        """(token, end character) of a text in which special tokens are mere characters."""
        bare = not (fresh or self._prefix_after_special)
        encoded = self.tokenizer(
            _SENTINEL + text if bare else text,
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=True,
        )
        pairs = list(zip(encoded.input_ids, encoded.offset_mapping, strict=True))
        shift = len(_SENTINEL) if bare else 0
        return [(token, end - shift) for token, (_, end) in pairs if end > shift or not bare]


def _rounds(turns: Sequence[Turn], has_image: bool) -> list[Round]:
    """Question and answer pairs; a leading answer and a trailing question are left out."""
    if turns and turns[0].role is Role.GPT:
        turns = turns[1:]
    for index, turn in enumerate(turns):
        if turn.role is not (Role.HUMAN, Role.GPT)[index % 2]:
            raise BadConversation("roles do not alternate")
        if not turn.text.strip():
            raise BadConversation("empty turn")
    if len(turns) < 2:
        raise BadConversation("no answer")
    pairs = list(zip(turns[::2], turns[1::2], strict=False))
    if not has_image:
        return [Round(question.text, answer.text, False) for question, answer in pairs]
    tags = sum(question.text.count(IMAGE_TAG) for question, _ in pairs)
    if tags != 1:
        raise BadConversation(f"{tags} {IMAGE_TAG} tags in the questions, not one")
    return [_with_image(question.text, answer.text) for question, answer in pairs]


def _with_image(question: str, answer: str) -> Round:
    """The tag moves to the front of its question, which loses the blanks around it."""
    if IMAGE_TAG not in question:
        return Round(question, answer, False)
    return Round(question.replace(IMAGE_TAG, "").strip(), answer, True)
