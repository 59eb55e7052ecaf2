"""Write the whole scene world to disk, byte for byte the same for the same settings."""

import json
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from palo.benchmark_set import IMAGES, BenchmarkSet, Line, write_set
from palo.languages import ENGLISH
from palo.schemas import Role
from palo.settings import WorldSettings
from sceneworld import messages as m
from sceneworld.conversations import (
    CAPTION_PROMPTS,
    DETAIL_PROMPTS,
    REASONING,
    Round,
    Sample,
    caption,
    conversation_exchanges,
    detail_answer,
    is_fixed,
    is_for_source,
    is_told,
    patches,
    reasoning_exchanges,
    source_samples,
    text_sample,
)
from sceneworld.draw import save_picture
from sceneworld.grammar import SPOKEN, say_turn
from sceneworld.questions import (
    HELD_OUT_KINDS,
    REASONING_KINDS,
    SEEING_KINDS,
    Exchange,
    QuestionKind,
    ask,
)
from sceneworld.scene import Scene, Thing, make_scene
from sceneworld.truth import BENCH_TRUTH, Truth, add_turn, rows, with_image

# A sample without an image comes once in so many pictures.
IMAGES_PER_TEXT_SAMPLE = 16
CORPUS_ROUNDS = 6
CORPUS_LIST_SHARE = 0.4
CORPUS_REASONING = 2  # times: comparisons are among the hardest sentences to translate
# So much of the corpus has several sentences: descriptions fill up to it.
CORPUS_SEVERAL_SHARE = 0.25
# An evaluation question is the one of so many whose answer has been given least.
EVALUATION_CHOICES = 8
PICTURE_FOLDERS = ("source", "captions", "evaluation")

Row = dict[str, Any]


class _Scenes:
    """Makes scenes no two of which are alike, so held-out ones are held out."""

    def __init__(self, seed: int, images_dir: Path) -> None:
        self.seed, self.images_dir = seed, images_dir
        self.taken: set[tuple[Thing, ...]] = set()

    def make(self, scene_id: str) -> tuple[Scene, random.Random]:
        """A new scene and the generator of everything said about it."""
        scene = make_scene(scene_id, self.seed, self.taken)
        return scene, random.Random(f"{self.seed}/talk/{scene_id}")

    def picture(self, scene: Scene) -> str:
        """The path of its picture, which is drawn, below the images."""
        image = f"{scene.scene_id}.jpg"
        save_picture(scene, self.images_dir / image)
        return image


def build_world(world_dir: Path, settings: WorldSettings) -> dict[str, int]:
    """Write source, truth, corpus, captions, patches, text, evaluation; how much of each."""
    scenes = _Scenes(settings.seed, world_dir / "images")
    for folder in PICTURE_FOLDERS:
        _empty(scenes.images_dir / folder)
    evaluation, held_out = _evaluation(scenes, settings.evaluation_images)
    truth: Truth = {}
    source = _source(scenes, settings.source_images, truth)
    captions, patch_rows = _captions(scenes, settings.caption_images)
    corpus = _corpus(scenes, settings.corpus_scenes, truth)
    text = _text(scenes, settings.text_scenes, settings.parallel_text_scenes)
    bench_truth = _bench(world_dir / "bench", held_out[: settings.bench_images], settings.seed)
    for name, content in {
        "source.json": source,
        "truth.jsonl": rows(truth),
        "corpus.jsonl": rows(corpus),
        "captions.json": captions,
        "patches.jsonl": patch_rows,
        "text.jsonl": text,
        "evaluation.jsonl": evaluation,
        BENCH_TRUTH: rows(bench_truth),
    }.items():
        lines = [json.dumps(row, ensure_ascii=False) for row in content]
        if name.endswith(".json"):  # with an item a line: valid, yet easy to read and compare
            lines = ["[", ",\n".join(lines), "]"]
        written = "".join(f"{line}\n" for line in lines)
        (world_dir / name).write_text(written, encoding="utf-8", newline="\n")
    return {
        "samples": len(source),
        "turns": sum(len(sample["conversations"]) for sample in source),
        "truth_rows": len(truth),
        "corpus_rows": len(corpus),
        "captions": len(captions),
        "text_rows": len(text),
        "evaluation_questions": len(evaluation),
    }


def _empty(folder: Path) -> None:
    """Makes the folder, or removes what is in it; the folder may be a link to another disk."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _source(scenes: _Scenes, num_images: int, truth: Truth) -> list[Row]:
    """LLaVA-Instruct samples; the three of one picture share an id, as LLaVA's do."""
    rng = random.Random(f"{scenes.seed}/source")
    numbers = sorted(rng.sample(range(1, 600_000), num_images))
    samples: list[Row] = []
    for index, number in enumerate(numbers):
        sample_id = f"{number:012d}"
        scene, talk = scenes.make(f"source/{sample_id}")
        image = scenes.picture(scene)
        for sample in source_samples(scene, talk):
            samples.append({"id": sample_id, "image": image, **_said(sample, truth)})
        if index % IMAGES_PER_TEXT_SAMPLE == 0:
            samples.append({"id": f"text-{number:06d}", **_said(text_sample(talk), truth)})
    return samples


def _said(sample: Sample, truth: Truth) -> Row:
    """The English turns of a sample; their translations go to `truth`."""
    said: list[dict[str, str]] = []
    for asked, reply in sample.rounds:
        question = say_turn((asked,), "en")
        add_turn(truth, "", (asked,))
        add_turn(truth, question, reply)
        tagged = sample.has_image and not said
        asked_text = with_image(question, sample.image_first) if tagged else question
        said += _turns(asked_text, say_turn(reply, "en"))
    return {"conversations": said}


def _turns(question: str, answer: str) -> list[dict[str, str]]:
    return [{"from": str(Role.HUMAN), "value": question}, {"from": str(Role.GPT), "value": answer}]


def _corpus(scenes: _Scenes, num_scenes: int, truth: Truth) -> Truth:
    """Grammar text that shares no (context, text) with the source and has no fixed texts."""
    corpus: Truth = {}
    several: set[tuple[str, str]] = set()

    def add(question: m.Message, answer: tuple[m.Message, ...]) -> None:
        key = (say_turn((question,), "en"), say_turn(answer, "en"))
        if is_fixed(answer) or key in truth:
            return
        add_turn(corpus, key[0], answer)
        if len(answer) > 1:
            several.add(key)

    def is_for_corpus(question: m.Message) -> bool:
        return not is_for_source(question)

    for index in range(num_scenes):
        scene, rng = scenes.make(f"corpus/{index:06d}")
        exchanges = conversation_exchanges(
            scene, rng, CORPUS_ROUNDS, is_for_corpus, left_out=(QuestionKind.LIST,)
        )
        for _ in range(CORPUS_REASONING):
            exchanges += reasoning_exchanges(scene, rng, is_for_corpus)
        for exchange in exchanges:
            add_turn(corpus, "", (exchange.question,))
            add(exchange.question, rng.choice((exchange.short, exchange.sentence)))
        # The source asks for lists and details too, in the same words, but of other scenes.
        if rng.random() < CORPUS_LIST_SHARE and (listed := ask(QuestionKind.LIST, scene, rng)):
            add(listed.question, listed.sentence)
        if len(several) < CORPUS_SEVERAL_SHARE * len(corpus):
            add(m.AskDetail(rng.randrange(DETAIL_PROMPTS)), detail_answer(scene, rng))
    return corpus


def _captions(scenes: _Scenes, num_images: int) -> tuple[list[Row], list[Row]]:
    """Captions for the projector and patch labels for the vision tower, of the same pictures."""
    captions, patch_rows = [], []
    for index in range(num_images):
        scene, rng = scenes.make(f"captions/{index:06d}")
        image = scenes.picture(scene)
        prompt = with_image(rng.choice(CAPTION_PROMPTS), rng.random() < 0.5)
        turns = _turns(prompt, caption(scene))
        captions.append({"id": f"caption-{index:06d}", "image": image, "conversations": turns})
        patch_rows.append({"image": image, "cells": patches(scene)})
    return captions, patch_rows


def _text(scenes: _Scenes, num_scenes: int, num_parallel: int) -> list[Row]:
    """Captions, questions they answer and talk like the source's, for the stand-in language model.

    Each is asked one question of every seeing kind and one of a reasoning kind. The first
    `num_parallel` scenes speak all ten languages; the others ask in English.
    """
    described = []
    for index in range(num_scenes):
        scene, rng = scenes.make(f"text/{index:06d}")
        is_parallel = index < num_parallel
        languages = SPOKEN if is_parallel else (ENGLISH,)
        told = partial(is_told, scene=scene)
        kinds = (*SEEING_KINDS, rng.choice(REASONING_KINDS))
        asked = filter(None, (ask(kind, scene, rng, told) for kind in kinds))
        questions = [_round((each.question, each.short), languages) for each in asked]
        talk = [  # the rounds of the three samples that a picture of the scene would come with
            _round(each, SPOKEN)
            for sample in (source_samples(scene, rng) if is_parallel else ())
            for each in sample.rounds
        ]
        described.append({"caption": caption(scene), "questions": questions, "talk": talk})
    return described


def _round(said: Round, languages: Sequence[str]) -> dict[str, list[str]]:
    question, reply = said
    return {str(lang): [say_turn((question,), lang), say_turn(reply, lang)] for lang in languages}


def _evaluation(scenes: _Scenes, num_images: int) -> tuple[list[Row], list[Scene]]:
    """Held-out pictures with a question of every kind each, answers evened out."""
    questions = []
    held_out = []
    said: Counter[str] = Counter()
    for index in range(num_images):
        scene, exchanges = _scene_that_answers(scenes, f"evaluation/{index:06d}", said)
        held_out.append(scene)
        image = scenes.picture(scene)
        for number, (kind, exchange) in enumerate(zip(HELD_OUT_KINDS, exchanges, strict=True)):
            said[_answer_key(exchange)] += 1
            asked, forms = (exchange.question,), (exchange.short, exchange.sentence)
            question = {
                "id": f"{index:06d}-{number}",
                "image": image,
                "kind": str(kind),
                "reasoning": kind in REASONING_KINDS,
                "questions": {str(lang): say_turn(asked, lang) for lang in SPOKEN},
                "answers": {str(lang): [say_turn(form, lang) for form in forms] for lang in SPOKEN},
            }
            questions.append(question)
    return questions, held_out


def _scene_that_answers(
    scenes: _Scenes, scene_id: str, said: Counter[str]
) -> tuple[Scene, list[Exchange]]:
    """A new scene that offers all kinds; of each the question whose answer is rarest so far."""
    while True:
        scene, rng = scenes.make(scene_id)
        exchanges = []
        for kind in HELD_OUT_KINDS:
            asked = [ask(kind, scene, rng) for _ in range(EVALUATION_CHOICES)]
            if offered := [exchange for exchange in asked if exchange]:
                exchanges.append(min(offered, key=lambda exchange: said[_answer_key(exchange)]))
        if len(exchanges) == len(HELD_OUT_KINDS):
            return scene, exchanges


def _answer_key(exchange: Exchange) -> str:
    """The same for all questions of one kind with one answer."""
    return f"{type(exchange.question).__name__} {say_turn(exchange.short, 'en')}"


def _bench(folder: Path, scenes: Sequence[Scene], seed: int) -> Truth:
    """A LLaVA-Bench-style set of held-out scenes: three questions a picture, as published.

    `conv` asks one thing, `detail` for a description, `complex` for counting and comparing.
    Reference answers and captions are exact; answers that can only be given in these words say so
    (`exact`), so that they can be scored without a judge. Writes English and the pictures into an
    empty `folder`; returns the true translations of every question, of every answer after its
    question, and of every caption.
    """
    _empty(folder)  # translations of another world are among what was there
    (folder / IMAGES).mkdir()
    truth: Truth = {}
    questions: list[Line] = []
    answers: list[Line] = []
    captions: list[Line] = []
    for number, scene in enumerate(scenes):
        rng = random.Random(f"{seed}/bench/{number}")
        name = f"{number + 1:03d}"
        image = f"{name}.jpg"
        save_picture(scene, folder / IMAGES / image)
        told = detail_answer(scene, rng)
        captions.append(Line({"id": name, "image": image, "caption": say_turn(told, "en")}))
        add_turn(truth, "", told)
        for category, (asked, reply) in _bench_rounds(scene, rng, number).items():
            add_turn(truth, "", (asked,))
            text = say_turn((asked,), "en")
            add_turn(truth, text, reply)
            row = {"question_id": len(questions), "image": image, "text": text}
            questions.append(Line(row | {"category": category}))
            answer = {
                "question_id": len(answers),
                "prompt": text,
                "answer_id": f"grammar-{len(answers):03d}",
                "model_id": "grammar",
                "metadata": {},
                "text": say_turn(reply, "en"),
            }
            answers.append(Line(answer | ({} if category == "detail" else {"exact": True})))
    english = BenchmarkSet(
        "en", folder, folder / IMAGES, tuple(questions), tuple(captions),
        {"answers_grammar": tuple(answers)},
    )  # fmt: skip
    write_set(english, folder / "en")
    return truth


def _bench_rounds(scene: Scene, rng: random.Random, number: int) -> dict[str, Round]:
    """Category, question and answer; kinds take turns, and give way where a scene offers none."""

    def in_turn(kinds: Sequence[QuestionKind]) -> Exchange:
        start = number % len(kinds)
        kinds = [*kinds[start:], *kinds[:start]]
        return next(exchange for kind in kinds if (exchange := ask(kind, scene, rng)))

    easy, hard = in_turn(HELD_OUT_KINDS), in_turn(REASONING)
    return {
        "conv": (easy.question, easy.short),
        "detail": (m.AskDetail(number % DETAIL_PROMPTS), detail_answer(scene, rng)),
        "complex": (hard.question, hard.sentence),
    }
