"""What the stand-in language model reads: descriptions, riddles about them, questions, retellings.

A description is the caption of a scene that is never drawn. Its phrases fill slots, one each, as
patches fill image tokens. Everything after the slots is text to be learned.
"""

import itertools
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from palo.schemas import IMAGE_TAG, Role, Turn
from palo.tiny import train_tokenizer
from train.template import IGNORED, IMAGE_TOKEN, SYSTEM, Encoded, Template

RETELLING = "retelling"  # the `kind` of a text row whose answer tells all of its caption
PLACING_TRIES = 100
SENTENCE_END = re.compile(r"[.。।۔](?:\s+|$)|。")
RIDDLES = 10  # in one sequence
WEIGHTS = (6, 1, 1)  # completing, counting, comparing
STRANGE_SHARE = 0.3  # of the counting ones: words of some other description
MOST_CLUES = 3
ROUNDS = 8  # of one conversation: many short answers share one description

Pair = tuple[str, str]  # question, answer


@dataclass(frozen=True)
class Scene:
    """A description, the questions it answers, and its retellings in several languages."""

    caption: str
    questions: tuple[Pair, ...]
    retellings: tuple[Pair, ...]

    @cached_property
    def phrases(self) -> tuple[str, ...]:
        return tuple(part.strip().lower() for part in self.caption.rstrip(".").split(","))


def group_scenes(rows: Sequence[dict[str, str]]) -> list[Scene]:
    """Rows {caption, kind, question, answer} by caption, in order of appearance."""
    questions: dict[str, list[Pair]] = defaultdict(list)
    retellings: dict[str, list[Pair]] = defaultdict(list)
    for row in rows:
        chosen = retellings if row.get("kind") == RETELLING else questions
        chosen[row["caption"]].append((row["question"], row["answer"]))
    captions = dict.fromkeys(row["caption"] for row in rows)
    return [Scene(one, tuple(questions[one]), tuple(retellings[one])) for one in captions]


# As palo.tiny's, but Han and kana stand alone after a blank too (`ASSISTANT: 红色`), where a whole
# sentence would become one word and then one token.
_CJK = r"\p{Han}\p{Hiragana}\p{Katakana}ー"
WORD_PATTERN = (
    r"\p{Han}|\p{Hiragana}+|[\p{Katakana}ー]+| ?\p{N}"
    rf"| ?[\p{{L}}\p{{M}}&&[^{_CJK}]]+| ?[^\s\p{{L}}\p{{M}}\p{{N}}]|\s"
)


def make_tokenizer(scenes: Sequence[Scene], vocab_size: int) -> Any:
    # Every conversation opens with the system sentence: its words must be tokens of their own.
    texts = [f"{SYSTEM} USER: ASSISTANT:"] * len(scenes)
    for scene in scenes:
        texts.append(scene.caption)
        texts += [f"{ask} {answer}" for ask, answer in (*scene.questions, *scene.retellings)]
    return train_tokenizer(texts, vocab_size, extra_special=(IMAGE_TAG,), pattern=WORD_PATTERN)


def empty_words(scenes: Sequence[Scene]) -> frozenset[str]:
    """Words that every phrase of every description has (`a`, `in`, `corner`): they tell nothing."""
    phrases = [set(phrase.split()) for scene in scenes for phrase in scene.phrases]
    always = set.intersection(*phrases) if phrases else set()
    return frozenset(always | {"a", "an"})


def slots(scene: Scene, num_slots: int, rng: random.Random) -> list[str]:
    """The phrases of a description, in order, at random places among empty ones.

    A phrase that names a corner stays in that quarter of the (square) grid of slots.
    """
    side = round(num_slots**0.5)
    for _ in range(PLACING_TRIES):
        places = [_place(set(phrase.split()), side, rng) for phrase in scene.phrases]
        if all(one < after for one, after in itertools.pairwise(places)):
            break
    else:
        places = sorted(rng.sample(range(num_slots), len(scene.phrases)))
    filled = dict(zip(places, scene.phrases, strict=True))
    return [filled.get(place, "") for place in range(num_slots)]


def _place(words: set[str], side: int, rng: random.Random) -> int:
    half = side // 2
    rows = range(half) if "top" in words else range(half, side)
    columns = range(half) if "left" in words else range(half, side)
    return rng.choice(rows) * side + rng.choice(columns)


Telling = list[list[int]]  # tokens a phrase


def _clues(chosen: list[int], phrases: Telling, rng: random.Random) -> tuple[list[int], Telling]:
    """Some tokens of the chosen phrase, in any order, and all phrases that have them."""
    most = min(MOST_CLUES, len(chosen) - 1)
    clues = rng.sample(chosen, rng.randint(1, most))
    return clues, [phrase for phrase in phrases if set(clues) <= set(phrase)]


class Riddle(StrEnum):
    COMPLETING = "completing"
    COUNTING = "counting"
    COMPARING = "comparing"


class Reader:
    """Makes sequences of training text, each about one scene."""

    def __init__(self, scenes: Sequence[Scene], tokenizer: Any) -> None:
        self.tokenizer, self.template = tokenizer, Template(tokenizer)
        self.empty = empty_words(scenes)
        self.marks = {mark: self._tokens(mark) for mark in (":", " #", " /", ";")}
        self._tellings = {scene.caption: self._told(scene) for scene in scenes}
        self._all_phrases = [phrase for told in self._tellings.values() for phrase in told[0]]

    @property
    def tellings(self) -> list[list[Telling]]:
        """Of every scene: the tokens of its caption's phrases, then of each retelling's."""
        return list(self._tellings.values())

    def words(self, phrase: str) -> str:
        """The phrase without the words that all phrases have, each after a blank."""
        return "".join(f" {word}" for word in phrase.split() if word not in self.empty)

    def phrase_tokens(self, phrase: str) -> list[int]:
        return self._tokens(self.words(phrase))

    def _tokens(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def _told(self, scene: Scene) -> list[Telling]:
        """The tokens of the phrases, then of the sentences of every retelling that has as many.

        Tokens that all sentences of a telling share are left out: they are no clue.
        """
        tellings = [[self.phrase_tokens(phrase) for phrase in scene.phrases]]
        for _, answer in scene.retellings:
            sentences = [part for part in SENTENCE_END.split(answer) if part.strip()]
            if len(sentences) == len(scene.phrases):
                tokens = [self._tokens(f" {sentence.strip()}") for sentence in sentences]
                shared = set.intersection(*(set(one) for one in tokens))
                rest = [[t for t in one if t not in shared] for one in tokens]
                if all(len(one) > 1 for one in rest):
                    tellings.append(rest)
        return tellings

    def caption_riddles(self, scene: Scene, rng: random.Random) -> Encoded:
        """Riddles in the words of the caption alone."""
        return self._riddles(self._tellings[scene.caption][:1], rng)

    def riddles(self, scene: Scene, rng: random.Random) -> Encoded:
        """Riddles in all languages that the scene is told in."""
        return self._riddles(self._tellings[scene.caption], rng)

    def _riddles(self, tellings: Sequence[Telling], rng: random.Random) -> Encoded:
        """` star red: small top left; red # 2; star / heart: same no; ...` after the slots.

        Nearly every token is a label that takes matching a slot by its words, which is what every
        question about a scene comes down to. Only completing is done in other languages.
        """
        ids, labels = [self.tokenizer.bos_token_id, IMAGE_TOKEN], [IGNORED, IGNORED]
        for _ in range(RIDDLES):
            kind = rng.choices((Riddle.COMPLETING, Riddle.COUNTING, Riddle.COMPARING), WEIGHTS)[0]
            clues, rest = self._riddle(kind, tellings, rng)
            ids += [*clues, *rest, *self.marks[";"]]
            labels += [*[IGNORED] * len(clues), *rest, *self.marks[";"]]
        return Encoded(tuple(ids), tuple(labels))

    def _riddle(
        self, kind: Riddle, tellings: Sequence[Telling], rng: random.Random
    ) -> tuple[list[int], list[int]]:
        if kind is Riddle.COUNTING:
            return self._counting(tellings[0], rng)
        if kind is Riddle.COMPARING and (made := self._comparing(tellings[0], rng)):
            return made
        return self._completing(rng.choice(tellings), rng) or self._counting(tellings[0], rng)

    def _completing(
        self, phrases: Telling, rng: random.Random
    ) -> tuple[list[int], list[int]] | None:
        """Some words of a phrase call for its others; None where they fit different phrases."""
        clues, fitting = _clues(rng.choice(phrases), phrases, rng)
        if any(phrase != fitting[0] for phrase in fitting):
            return None
        return clues + self.marks[":"], [token for token in fitting[0] if token not in clues]

    def _counting(self, phrases: Telling, rng: random.Random) -> tuple[list[int], list[int]]:
        """How many phrases have these words; sometimes they come from another description."""
        pool = self._all_phrases if rng.random() < STRANGE_SHARE else phrases
        clues, fitting = _clues(rng.choice(pool), phrases, rng)
        return clues + self.marks[" #"], self._tokens(f" {len(fitting)}")

    def _comparing(
        self, phrases: Telling, rng: random.Random
    ) -> tuple[list[int], list[int]] | None:
        """Whether one lies left of and above another; None where the words fit several."""
        first, second = rng.choice(phrases), rng.choice(phrases)
        clues, fitting = _clues(first, phrases, rng)
        others, fitting_others = _clues(second, phrases, rng)
        if len(fitting) > 1 or len(fitting_others) > 1:
            return None
        told = ""
        for word in self._tokens(" left"), self._tokens(" top"):
            here, there = word[0] in first, word[0] in second
            told += " same" if here == there else " yes" if here else " no"
        return clues + self.marks[" /"] + others + self.marks[":"], self._tokens(told)

    def questions(self, scene: Scene, rng: random.Random) -> Encoded:
        """Several questions and answers, languages mixed, with nothing around them."""
        return self._bare(rng.sample(scene.questions, min(ROUNDS, len(scene.questions))))

    def retelling(self, scene: Scene, rng: random.Random) -> Encoded:
        """The description told in one of the languages, or as a bare caption (stage 1's form)."""
        if not scene.retellings or rng.random() < 1 / (1 + len(scene.retellings)):
            return self.template.caption(scene.caption)
        return self._bare([rng.choice(scene.retellings)])

    def conversation(self, scene: Scene, rng: random.Random) -> Encoded:
        """Several questions of one scene, languages mixed, in the template of stage 2."""
        turns = []
        pairs = rng.sample(scene.questions, min(ROUNDS, len(scene.questions)))
        for index, (question, answer) in enumerate(pairs):
            asked = f"{IMAGE_TAG}\n{question}" if index == 0 else question
            turns += [Turn(Role.HUMAN, asked), Turn(Role.GPT, answer)]
        return self.template.encode(turns, has_image=True)

    def _bare(self, pairs: Sequence[Pair]) -> Encoded:
        ids, labels = [self.tokenizer.bos_token_id, IMAGE_TOKEN], [IGNORED, IGNORED]
        for question, answer in pairs:
            asked, said = self._tokens(f" {question}"), self._tokens(f" {answer}")
            ids += [*asked, *said, self.tokenizer.eos_token_id]
            labels += [*[IGNORED] * len(asked), *said, self.tokenizer.eos_token_id]
        return Encoded(tuple(ids), tuple(labels))
