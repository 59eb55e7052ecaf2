"""Figures of a run whose every stage has been done, with numbers that are easy to check."""

import pytest
from PIL import Image

from palo.languages import LANGUAGES, TARGETS
from palo.report import AgainstTruth, Figures, LanguageStatus, by_language
from palo.schemas import (
    Finding,
    RefinedSample,
    Role,
    TranslatedSample,
    Turn,
    TurnMeta,
    TurnStatus,
    Verdict,
)

STATES = [LanguageStatus(lang, 400, 400, 380, 20, 60) for lang in TARGETS]
TRUTHS = {lang: AgainstTruth(200, 10, 8, 1, 96.25, "nrefs:1|case:mixed") for lang in TARGETS}
ANSWER = {"questions": 240, "accuracy": 0.925, "accuracy_shuffled": 0.2, "chance": 0.25}
ANSWER |= {"reasoning": 0.5, "fidelity": 0.995}


def example(lang, image, texts, translation, verdict, *reasons):
    """One round of a conversation; what is shown is its answer."""
    source = (Turn(Role.HUMAN, texts[0]), Turn(Role.GPT, texts[1]))
    target = (Turn(Role.HUMAN, "?"), Turn(Role.GPT, translation))
    meta = TurnMeta(TurnStatus.TRANSLATED, 1, "stop", None, "", "", "", "")
    sample = TranslatedSample("s-0", "1", lang, image, source, target, (meta, meta), "x.json")
    findings = tuple(Finding("x", None, verdict, reason) for reason in (*reasons, ""))
    verdicts = (Verdict.PASS, verdict)
    return RefinedSample(sample, ((), findings), verdicts, verdict, not verdict.flagged), 1


@pytest.fixture(scope="session")
def pictures_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    Image.new("RGB", (256, 200), (250, 0, 0)).save(folder / "red.jpg")
    return folder


@pytest.fixture(scope="session")
def full_figures(pictures_dir):
    examples = (
        example("ur", "red.jpg", ("Is it?", "Yes."), "جی ہاں۔", Verdict.PASS),
        example("fr", None, ("", "<b>"), "<script>x()</script>", Verdict.REJECT, "script", "tag"),
    )
    answer = {"image": "red.jpg", "lang": "ar", "question": "ما هذا؟"}
    answer |= {"expected": "نجمة", "answer": "قلب", "correct": False}
    missing = answer | {"image": "no.jpg", "lang": "fr", "question": "Quoi ?", "correct": True}
    return Figures(
        profile="sample",
        languages=by_language(STATES, TRUTHS, dict.fromkeys(LANGUAGES, ANSWER)),
        signatures=["nrefs:1|case:mixed"],
        by_reason={lang: {"script": 3, "length": 5} for lang in TARGETS},
        finetune={"languages": {"ur": {"chrf_before": 80.0, "chrf_after": 95.0}}},
        evaluation={"scale": "7b", "examples": [answer, missing]},
        steps=(
            {"title": "one", "command": "palo x", "seconds": 1.5, "skipped": ""},
            {"title": "left <out>", "command": "palo y", "seconds": 0.0, "skipped": "no vllm"},
        ),
        examples=examples,
    )


@pytest.fixture
def empty_figures():
    return Figures("sample", by_language((), {}, {}))
