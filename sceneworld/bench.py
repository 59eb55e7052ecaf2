"""A LLaVA-Bench-style set of held-out scenes: three questions a picture, as the published one has.

`conv` asks one thing, `detail` for a description, `complex` for counting and comparing. The grammar
knows the reference answers and captions exactly, and their translations; answers that can only be
given in these words say so (`exact`), so that they can be scored without a judge.
"""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

from palo.benchmark_set import IMAGES, BenchmarkSet, Line, write_set
from sceneworld import messages as m
from sceneworld.conversations import DETAIL_PROMPTS, detail_answer
from sceneworld.draw import save_picture
from sceneworld.grammar import say_turn
from sceneworld.questions import HELD_OUT_KINDS, QuestionKind, ask
from sceneworld.scene import Scene
from sceneworld.truth import Truth, add_turn

REFERENCE = "answers_grammar"
_COMPLEX = (QuestionKind.MORE, QuestionKind.LEFT)

Messages = tuple[m.Message, ...]


def build_bench(folder: Path, scenes: Sequence[Scene], seed: int) -> Truth:
    """Writes English and the pictures into an empty `folder`; returns the true translations of
    every question, of every answer after its question, and of every caption."""
    shutil.rmtree(folder, ignore_errors=True)  # translations of another world among them
    (folder / IMAGES).mkdir(parents=True)
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
        for category, asked, reply in _rounds(scene, rng, number):
            add_turn(truth, "", (asked,))
            text = say_turn((asked,), "en")
            add_turn(truth, text, reply)
            row = {"question_id": len(questions), "image": image, "text": text}
            questions.append(Line(row | {"category": category}))
            answers.append(_answer(len(answers), text, say_turn(reply, "en"), category != "detail"))
    english = BenchmarkSet(
        "en", folder, folder / IMAGES, tuple(questions), tuple(captions),
        {REFERENCE: tuple(answers)},
    )  # fmt: skip
    write_set(english, folder / "en")
    return truth


def _rounds(scene: Scene, rng: random.Random, number: int) -> list[tuple[str, m.Message, Messages]]:
    """Category, question and answer; kinds take turns, and give way where a scene offers none."""
    conv = _in_turn(HELD_OUT_KINDS, number)
    easy = next(exchange for kind in conv if (exchange := ask(kind, scene, rng)))
    hard = next(
        exchange for kind in _in_turn(_COMPLEX, number) if (exchange := ask(kind, scene, rng))
    )
    prompt = m.AskDetail(number % DETAIL_PROMPTS)
    return [
        ("conv", easy.question, easy.short),
        ("detail", prompt, detail_answer(scene, rng)),
        ("complex", hard.question, hard.sentence),
    ]


def _in_turn(kinds: Sequence[QuestionKind], number: int) -> list[QuestionKind]:
    start = number % len(kinds)
    return [*kinds[start:], *kinds[:start]]


def _answer(number: int, prompt: str, text: str, exact: bool) -> Line:
    fields = {
        "question_id": number,
        "prompt": prompt,
        "answer_id": f"grammar-{number:03d}",
        "model_id": "grammar",
        "metadata": {},
        "text": text,
    }
    return Line(fields | ({"exact": True} if exact else {}))
