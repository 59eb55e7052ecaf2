"""vicuna_v1: turns into token ids and labels, exactly as the published preprocessing does.

Labels follow from character offsets, not from counting tokens twice, so a text that contains
`ASSISTANT:` or `</s>` is masked right, where the published code gives up on the whole sample.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from palo.files import digest
from palo.schemas import IMAGE_TAG, Role, Turn

VERSION = "1"  # raise it when the same turns give other tokens or other cuts
IMAGE_TOKEN = -200  # stands for the whole image until a batch is made
IGNORED = -100  # a label that takes no part in the loss

SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)


def add_image(tokenizer: Any) -> int:
    """Puts `<image>` and a padding token among a tokenizer's tokens; the image token's id."""
    if IMAGE_TAG not in tokenizer.get_added_vocab():
        tokenizer.add_special_tokens({"extra_special_tokens": [IMAGE_TAG]})
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token
    return int(tokenizer.convert_tokens_to_ids(IMAGE_TAG))


class BadConversation(ValueError):
    """A sample that cannot be put into the template; the message is the reason."""


@dataclass(frozen=True)
class Encoded:
    """Token ids and labels of one sample, equally long; the rest is what was cut to make it fit."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    rounds_dropped: int = 0
    tokens_dropped: int = 0
    supervised_dropped: int = 0

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
    after_image: bool = False


@dataclass
class Piece:
    """Tokens of one round on their way into an Encoded; `ends`: the character each one ends at."""

    ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def add(self, ids: list[int], ends: list[int], learned_from: int | None = None) -> None:
        """Tokens that end after the character `learned_from` are learned."""
        self.ids += ids
        self.ends += ends
        if learned_from is None:
            self.labels += [IGNORED] * len(ids)
        else:
            pairs = zip(ids, ends, strict=True)
            self.labels += [token if end > learned_from else IGNORED for token, end in pairs]

    def length(self, image_tokens: int) -> int:
        return len(self.ids) + (image_tokens - 1) * self.ids.count(IMAGE_TOKEN)

    @property
    def supervised(self) -> int:
        return len(self.labels) - self.labels.count(IGNORED)


class Template:
    """The template over one (fast) tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def prompt(
        self, question: str, has_image: bool, before: Sequence[Round] = ()
    ) -> tuple[int, ...]:
        """What the model sees before it answers: the rounds before, and all up to `ASSISTANT:`.
        `has_image` is about this question; one of the rounds before says of itself if it has it."""
        ids: list[int] = [self.tokenizer.bos_token_id]
        for index, asked in enumerate([*before, Round(question, None, has_image)]):
            ids += self._piece(_spans(asked, first=index == 0)).ids
        return tuple(ids)

    def span_lengths(self, spans: Sequence[Span], image_tokens: int) -> list[int]:
        """Tokens of each span with its image and end token: what `fit` would make, counted only,
        and an order of magnitude faster for many spans at once."""
        backend = self.tokenizer.backend_tokenizer
        was = backend.encode_special_tokens
        backend.encode_special_tokens = True  # special tokens in a text are mere characters
        try:
            texts = [span.text for span in spans]
            encoded = backend.encode_batch_fast(texts, add_special_tokens=False)
        finally:
            backend.encode_special_tokens = was
        return [
            len(tokens) + span.ends + image_tokens * span.after_image
            for tokens, span in zip(encoded, spans, strict=True)
        ]

    @cached_property
    def digest(self) -> str:
        """Equal for templates that give equal tokens."""
        tokenizer = json.loads(self.tokenizer.backend_tokenizer.to_str())
        for passing in ("truncation", "padding"):  # left over from the last call
            tokenizer.pop(passing, None)
        special = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)
        return digest([VERSION, tokenizer, special])

    def _piece(self, spans: Sequence[Span]) -> Piece:
        piece = Piece()
        for span in spans:
            if span.after_image:
                piece.add([IMAGE_TOKEN], [0])
            encoded = self.tokenizer(
                span.text,
                add_special_tokens=False,
                return_offsets_mapping=True,
                return_attention_mask=False,
                return_token_type_ids=False,
                split_special_tokens=True,  # in a text they are mere characters
                verbose=False,  # a text longer than the model's own limit is cut here, not there
            )
            ends = [end for _, end in encoded.offset_mapping]
            piece.add(encoded.input_ids, ends, span.answer_start)
            if span.ends:
                piece.add([self.tokenizer.eos_token_id], [len(span.text) + 1], 0)
        return piece

    def fit(self, rounds: list[list[Span]], max_length: int = 0, image_tokens: int = 1) -> Encoded:
        """The rounds in order behind the start token; labels on answers and their end tokens only.

        At most `max_length` tokens (0: no limit), of which the image takes `image_tokens`. Whole
        rounds are dropped from the end until the rest fits; a first round that does not fit alone
        loses the tail of its answer. Raises BadConversation.
        """
        pieces, whole, length = [self._piece(spans) for spans in rounds], 0, 1
        for piece in pieces:
            length += piece.length(image_tokens)
            if max_length and length > max_length:
                break
            whole += 1
        kept = pieces[:whole] or [_cut_tail(pieces[0], max_length - 1, image_tokens)]
        dropped = pieces[len(kept) :]
        if any(IMAGE_TOKEN in piece.ids for piece in dropped):
            raise BadConversation("the round with the image does not fit")
        if not any(piece.supervised for piece in kept):
            raise BadConversation("nothing to learn")
        ids, labels = [self.tokenizer.bos_token_id], [IGNORED]
        for piece in kept:
            ids += piece.ids
            labels += piece.labels
        tokens = sum(piece.length(image_tokens) for piece in pieces)
        tokens -= sum(piece.length(image_tokens) for piece in kept)
        supervised = sum(piece.supervised for piece in pieces)
        supervised -= sum(piece.supervised for piece in kept)
        return Encoded(tuple(ids), tuple(labels), len(dropped), tokens, supervised)


def _cut_tail(piece: Piece, room: int, image_tokens: int) -> Piece:
    """A round cut inside its answer, between characters. Raises BadConversation."""
    keep = len(piece.ids) - (piece.length(image_tokens) - room)
    before = next((at for at, label in enumerate(piece.labels) if label != IGNORED), keep)
    # a character outside the vocabulary is several tokens with one end
    while before < keep and piece.ends[keep - 1] == piece.ends[keep]:
        keep -= 1
    if keep <= before:
        raise BadConversation("the first round does not fit")
    return Piece(piece.ids[:keep], piece.labels[:keep], piece.ends)


def spans_of(turns: Sequence[Turn], has_image: bool) -> list[list[Span]]:
    """The spans of each round of a conversation. Raises BadConversation.

    A leading answer and a trailing question are left out. The image's tag moves to the front of its
    question, which loses the blanks around it.
    """
    if turns and turns[0].role is Role.GPT:
        turns = turns[1:]
    for index, turn in enumerate(turns):
        if turn.role is not (Role.HUMAN, Role.GPT)[index % 2]:
            raise BadConversation("roles do not alternate")
        if not turn.text.strip():
            raise BadConversation("empty turn")
    if len(turns) < 2:
        raise BadConversation("no answer")
    pairs = [(asked.text, said.text) for asked, said in zip(turns[::2], turns[1::2], strict=False)]
    tags = sum(question.count(IMAGE_TAG) for question, _ in pairs)
    if has_image and tags != 1:
        raise BadConversation(f"{tags} {IMAGE_TAG} tags in the questions, not one")
    spans: list[list[Span]] = []
    for question, answer in pairs:
        if shown := has_image and IMAGE_TAG in question:
            question = question.replace(IMAGE_TAG, "").strip()
        spans.append(_spans(Round(question, answer, shown), first=not spans))
    return spans


def caption_spans(text: str) -> list[list[Span]]:
    """Stage 1: the image, its caption, a line break; no words around them (LLaVA's `plain`). Raises
    BadConversation for a caption without words."""
    if not text.strip():
        raise BadConversation("empty caption")
    return [[Span(text + "\n", answer_start=0, after_image=True)]]


def _spans(said: Round, first: bool) -> list[Span]:
    """The image's place parts a round in two."""
    asked = f"{SYSTEM} USER: " if first else "USER: "
    before = []
    if said.has_image:
        before = [Span(asked)]
        asked = "\n" if said.question else ""
    asked += f"{said.question} ASSISTANT:"
    if said.answer is None:
        return [*before, Span(asked, after_image=said.has_image)]
    text = f"{asked} {said.answer}"
    return [*before, Span(text, len(asked), ends=True, after_image=said.has_image)]
