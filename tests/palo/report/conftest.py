"""Figures of a run whose every stage has been done, with numbers that are easy to check."""

from dataclasses import dataclass

import pytest
from PIL import Image

from palo.languages import LANGUAGES
from palo.report import Answers, ExampleTurn, Figures, LanguageFigures, LanguageStatus
from palo.schemas import Verdict


@dataclass(frozen=True)
class Truth:
    turns: int = 200
    wrong: int = 10
    caught: int = 8
    false_alarms: int = 1
    chrf: float = 96.25
    signature: str = "nrefs:1|case:mixed"


def language(lang):
    answers = Answers(240, 0.925, 0.2, 0.25, 0.5, 0.995)
    if lang == "en":
        return LanguageFigures(lang, None, None, answers)
    status = LanguageStatus(lang, 400, 400, 380, 20, 60)
    return LanguageFigures(lang, status, Truth(), answers, {"script": 3, "length": 5})


@pytest.fixture(scope="session")
def pictures_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    Image.new("RGB", (256, 200), (250, 0, 0)).save(folder / "red.jpg")
    return folder


@pytest.fixture(scope="session")
def full_figures(pictures_dir):
    examples = (
        ExampleTurn("ur", pictures_dir / "red.jpg", "Is it?", "Yes.", "جی ہاں۔", Verdict.PASS, ""),
        ExampleTurn("fr", None, "", "<b>", "<script>x()</script>", Verdict.REJECT, "script; tag"),
    )
    answer = {"image": "red.jpg", "lang": "ar", "question": "ما هذا؟"}
    answer |= {"expected": "نجمة", "answer": "قلب", "correct": False}
    missing = answer | {"image": "no.jpg", "lang": "fr", "question": "Quoi ?", "correct": True}
    return Figures(
        profile="sample",
        scale="7b",
        languages=tuple(language(lang) for lang in LANGUAGES),
        finetune={"languages": {"ur": {"chrf_before": 80.0, "chrf_after": 95.0}}},
        evaluation={"examples": [answer, missing]},
        steps=(
            {"title": "one", "command": "palo x", "seconds": 1.5, "skipped": ""},
            {"title": "left <out>", "command": "palo y", "seconds": 0.0, "skipped": "no vllm"},
        ),
        examples=examples,
    )


@pytest.fixture
def empty_figures():
    rows = tuple(LanguageFigures(lang, None, None, None) for lang in LANGUAGES)
    return Figures("sample", "", rows, {}, {}, (), ())
