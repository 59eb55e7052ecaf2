"""What the stand-in language model reads: descriptions, riddles about them, conversations.

A description is the caption of a scene that is never drawn. Its phrases fill slots, one each, as
patches fill image tokens. Everything after the slots is text to be learned.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from palo.languages import ENGLISH
from palo.schemas import IMAGE_TAG, Role, Turn
from sceneworld.standins.tiny import train_tokenizer
from train.data.template import (
    IGNORED,
    IMAGE_TOKEN,
    SYSTEM,
    Encoded,
    Template,
    caption_spans,
    spans_of,
)

RIDDLES = 10  # in one sequence
MOST_CLUES = 3
COUNT_SHARE = 0.3  # of the riddles; and those whose clues fit different phrases
STRANGE_SHARE = 0.3  # of the counting ones: words of some other description
TALK_ROUNDS = 3  # in one sequence
SHUFFLED_SHARE = 0.5  # of the questions in English
OTHERS = 1000  # descriptions that strange words come from

Round = Mapping[str, Sequence[str]]  # by language, question and answer


@dataclass(frozen=True)
class DescribedScene:
    """A description, questions and talk about it, each by language; English is always there."""

    caption: str
    questions: tuple[Round, ...]
    talk: tuple[Round, ...] = ()

    @cached_property
    def phrases(self) -> tuple[str, ...]:
        return tuple(part.strip().lower() for part in self.caption.rstrip(".").split(","))

    @property
    def is_parallel(self) -> bool:
        """Whether its questions are told in other languages too."""
        return len(self.questions[0]) > 1


def read_scenes(rows: Sequence[Mapping[str, Any]]) -> list[DescribedScene]:
    """Rows {caption, questions, talk}, both lists of {language: [question, answer]}; rows that ask
    nothing are left out."""
    return [
        DescribedScene(row["caption"], tuple(row["questions"]), tuple(row["talk"]))
        for row in rows
        if row["questions"]
    ]


# As those of tiny.py, but Han and kana stand alone after a blank too (`ASSISTANT: 红色`), where a
# whole sentence would become one word and then one token.
_CJK = r"\p{Han}\p{Hiragana}\p{Katakana}ー"
WORD_PATTERN = (
    r"\p{Han}|\p{Hiragana}+|[\p{Katakana}ー]+| ?\p{N}"
    rf"| ?[\p{{L}}\p{{M}}&&[^{_CJK}]]+| ?[^\s\p{{L}}\p{{M}}\p{{N}}]|\s"
)


def make_tokenizer(scenes: Sequence[DescribedScene], vocab_size: int) -> Any:
    # Every conversation opens with the system sentence: its words must be tokens of their own.
    texts = [f"{SYSTEM} USER: ASSISTANT:"] * len(scenes)
    for scene in scenes:
        texts.append(scene.caption)
        rounds = (*scene.questions, *scene.talk)
        texts += [f"{asked} {said}" for exchange in rounds for asked, said in exchange.values()]
    return train_tokenizer(texts, vocab_size, extra_special=(IMAGE_TAG,), pattern=WORD_PATTERN)


def empty_words(scenes: Sequence[DescribedScene]) -> frozenset[str]:
    """Words that every phrase of every description has (`a`, `in`, `corner`): they tell nothing."""
    phrases = [set(phrase.split()) for scene in scenes for phrase in scene.phrases]
    always = set.intersection(*phrases) if phrases else set()
    return frozenset(always | {"a", "an"})


def slots(phrases: Sequence[str], num_slots: int, rng: random.Random) -> list[str]:
    """The phrases of a description, in order, at random places among empty ones.

    Where a slot stands tells nothing of where its thing lies: a model that could read it there
    would never ask the projector for it.
    """
    places = sorted(rng.sample(range(num_slots), len(phrases)))
    filled = dict(zip(places, phrases, strict=True))
    return [filled.get(place, "") for place in range(num_slots)]


@dataclass(frozen=True)
class Text:
    """A sequence about one scene. `parts` are the lengths, in tokens, of what follows the slots
    where each part shall see the slots and itself only; empty: everything sees what is before."""

    encoded: Encoded
    parts: tuple[int, ...] = ()


class Reader:
    """Makes sequences of training text, each about one scene."""

    def __init__(self, scenes: Sequence[DescribedScene], tokenizer: Any) -> None:
        self.tokenizer, self.template = tokenizer, Template(tokenizer)
        self.empty = empty_words(scenes)
        self.asks, self.counts, self.ends = map(self.tokens, (":", " #", ";"))
        self.others = [phrase for scene in scenes[:OTHERS] for phrase in scene.phrases]
        self._phrases: dict[str, list[int]] = {}

    def tokens(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def words(self, phrase: str) -> str:
        """The phrase without the words that all phrases have, each after a blank."""
        return "".join(f" {word}" for word in phrase.split() if word not in self.empty)

    def phrase_tokens(self, phrase: str) -> list[int]:
        """The tokens of a phrase's telling words; of "", none."""
        if phrase not in self._phrases:
            self._phrases[phrase] = self.tokens(self.words(phrase))
        return self._phrases[phrase]

    def riddles(self, told: Sequence[str], rng: random.Random) -> Text:
        """` star red: small top left; red # 2; ...` after the slots.

        Some words of a told phrase call for its others, in order, or for how many phrases have
        them all. It takes matching a slot by its words, which is what every question about a scene
        comes down to. Riddles apart from each other are learned sooner.
        """
        phrases = [self.phrase_tokens(phrase) for phrase in told]
        ids, labels = [self.tokenizer.bos_token_id, IMAGE_TOKEN], [IGNORED, IGNORED]
        parts = []
        for _ in range(RIDDLES):
            made = None if rng.random() < COUNT_SHARE else self._completing(phrases, rng)
            asked, said = made or self._counting(phrases, rng)
            ids += [*asked, *said, *self.ends]
            labels += [*[IGNORED] * len(asked), *said, *self.ends]
            parts.append(len(asked + said + self.ends))
        return Text(Encoded(tuple(ids), tuple(labels)), tuple(parts))

    def _completing(
        self, phrases: Sequence[list[int]], rng: random.Random
    ) -> tuple[list[int], list[int]] | None:
        """Clues and the phrase's other words; None where the clues fit different phrases."""
        chosen = rng.choice(phrases)
        clues = _clues(chosen, rng)
        if any(phrase != chosen for phrase in _fitting(clues, phrases)):
            return None
        return [*clues, *self.asks], [token for token in chosen if token not in clues]

    def _counting(
        self, phrases: Sequence[list[int]], rng: random.Random
    ) -> tuple[list[int], list[int]]:
        """Clues, sometimes of another description, and how many phrases have them."""
        strange = rng.random() < STRANGE_SHARE
        clues = _clues(
            self.phrase_tokens(rng.choice(self.others)) if strange else rng.choice(phrases), rng
        )
        return [*clues, *self.counts], self.tokens(f" {len(_fitting(clues, phrases))}")

    def caption(self, scene: DescribedScene) -> Text:
        """The description, in the form of stage 1."""
        return Text(self.template.fit(caption_spans(scene.caption)))

    def conversation(self, scene: DescribedScene, rng: random.Random) -> Text:
        """All questions in any order, each in any of its languages."""
        return self._in_any(scene.questions, len(scene.questions), rng)

    def english(self, scene: DescribedScene, rng: random.Random) -> Text:
        """All questions in any order, in English, half of them with their words in any order.

        Other languages order them otherwise: who finds them anywhere understands those sooner.
        """
        rounds = []
        for exchange in rng.sample(scene.questions, len(scene.questions)):
            asked, said = exchange[ENGLISH]
            if rng.random() < SHUFFLED_SHARE:  # the question mark stays last
                words, mark = asked.rstrip("?").split(), asked[len(asked.rstrip("?")) :]
                asked = " ".join(rng.sample(words, len(words))) + mark
            rounds.append((asked, said))
        return self._said(rounds)

    def talk(self, scene: DescribedScene, rng: random.Random) -> Text:
        """Some of what stage 2 will say about such a scene, each round in any language."""
        return self._in_any(scene.talk, TALK_ROUNDS, rng)

    def _in_any(self, rounds: Sequence[Round], most: int, rng: random.Random) -> Text:
        mixed = rng.sample(rounds, len(rounds))[:most]
        return self._said([exchange[rng.choice(list(exchange))] for exchange in mixed])

    def _said(self, rounds: Iterable[Sequence[str]]) -> Text:
        """Questions and answers in the template of stage 2."""
        turns = []
        for index, (question, answer) in enumerate(rounds):
            asked = f"{IMAGE_TAG}\n{question}" if index == 0 else question
            turns += [Turn(Role.HUMAN, asked), Turn(Role.GPT, answer)]
        return Text(self.template.fit(spans_of(turns, has_image=True)))


def _clues(phrase: Sequence[int], rng: random.Random) -> list[int]:
    """Some words, in any order, but never all."""
    return rng.sample(phrase, rng.randint(1, max(1, min(MOST_CLUES, len(phrase) - 1))))


def _fitting(clues: Sequence[int], phrases: Sequence[list[int]]) -> list[list[int]]:
    return [phrase for phrase in phrases if set(clues) <= set(phrase)]
