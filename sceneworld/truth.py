"""The exact translations: a table from (English context, English text) to nine languages.

With it a simulated reviewer fills in review CSVs as a person with a spreadsheet would, and a run is
measured: how good the translations are, and what the filters caught.
"""

import csv
import io
import json
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from palo.languages import ENGLISH
from palo.memory import english_context
from palo.report import AgainstTruth
from palo.schemas import IMAGE_TAG, TranslatedSample, TurnStatus
from palo.settings import Profile
from palo.shards import read_refined, read_translated, shard_paths
from refine.review_file import escape, unescape
from sceneworld.grammar import SPOKEN, say_turn
from sceneworld.messages import Message

BENCH_TRUTH = "bench_truth.jsonl"
REVIEWER = "simulated"

Truth = dict[tuple[str, str], dict[str, str]]


def without_image(text: str) -> str:
    """The text without `<image>` and the line break that binds the tag to it."""
    return text.removeprefix(f"{IMAGE_TAG}\n").removesuffix(f"\n{IMAGE_TAG}")


def with_image(text: str, first: bool) -> str:
    return f"{IMAGE_TAG}\n{text}" if first else f"{text}\n{IMAGE_TAG}"


def with_image_as_in(text: str, english: str) -> str:
    """Put the tag where the English turn has it."""
    first = english.startswith(IMAGE_TAG + "\n")
    return with_image(text, first) if first or english.endswith("\n" + IMAGE_TAG) else text


def add_turn(truth: Truth, context: str, messages: tuple[Message, ...]) -> None:
    """Add a turn in all languages; `context` is the English question that it answers, or ''."""
    english = say_turn(messages, "en")
    row = {str(lang): say_turn(messages, lang) for lang in SPOKEN if lang is not ENGLISH}
    known = truth.setdefault((context, english), row)
    assert known == row, f"two translations of {english!r} after {context!r}: {known} {row}"


def rows(truth: Truth) -> Iterator[dict[str, str]]:
    """The rows of truth.jsonl and corpus.jsonl."""
    for (context, english), translations in truth.items():
        yield {"context": context, "en": english, **translations}


def load_truth(path: Path) -> Truth:
    """Read truth.jsonl (or corpus.jsonl)."""
    truth: Truth = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            truth[row.pop("context"), row.pop("en")] = row
    return truth


def review_csv(csv_path: Path, truth: Truth) -> Counter[str]:
    """Judge every row without a verdict against the truth, in place; unknown rows stay. Returns how
    many rows were `accepted`, `fixed`, `judged before` and `not known to the truth`."""
    # newline="" and a reader over the whole text keep line breaks inside cells as they are.
    text = csv_path.read_bytes().decode("utf-8-sig")
    table = csv.DictReader(io.StringIO(text, newline=""))
    header = list(table.fieldnames or ())
    reviewed = list(table)
    outcomes = Counter(_review(row, truth) for row in reviewed)
    with csv_path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(reviewed)
    return outcomes


def _review(row: dict[str, str], truth: Truth) -> str:
    """Fill in one row; what became of it."""
    if row["verdict"]:
        return "judged before"
    english = unescape(row["english"])
    # an answer is known after its question, a question on its own
    text, question = without_image(english), without_image(unescape(row["previous"]))
    true = (truth.get((question, text)) or truth.get(("", text)) or {}).get(row["lang"])
    if true is None:
        return "not known to the truth"
    true = with_image_as_in(true, english)
    row |= {"all_copies": "yes", "reviewer": REVIEWER}
    if _same(unescape(row["translation"]), true):
        row["verdict"] = "accept"
        return "accepted"
    row |= {"verdict": "fix", "correction": escape(true), "error_type": "grammar"}
    return "fixed"


def measure(profile: Profile) -> dict[str, AgainstTruth]:
    """Figures by language, for those that have been translated; empty without a sample world."""
    path = profile.paths.world_dir / "truth.jsonl"
    if profile.world is None or not path.is_file():
        return {}
    truth = load_truth(path)
    paths = profile.paths
    return {
        lang: figures
        for lang in sorted({lang for row in truth.values() for lang in row})
        if (figures := measure_language(lang, truth, paths.translated(lang), paths.refined(lang)))
    }


def measure_language(
    lang: str, truth: Truth, translated_dir: Path, refined_dir: Path
) -> AgainstTruth | None:
    """None where nothing of the language can be compared."""
    from sacrebleu.metrics.chrf import CHRF

    flagged = {
        (refined.sample.sample_id, turn)
        for path in shard_paths(refined_dir)
        for refined in read_refined(path)
        for turn, verdict in enumerate(refined.turn_verdicts)
        if verdict.flagged
    }
    outputs, references, turns, wrong, caught, false_alarms = [], [], 0, 0, 0, 0
    for path in shard_paths(translated_dir):
        for sample in read_translated(path):
            for turn, true in true_turns(sample, truth, lang).items():
                output = sample.target[turn].text
                turns += 1
                if sample.meta[turn].status is not TurnStatus.VERIFIED:
                    outputs.append(output)
                    references.append(true)
                is_flagged = (sample.sample_id, turn) in flagged
                if not _same(output, true):
                    wrong += 1
                    caught += is_flagged
                else:
                    false_alarms += is_flagged
    if not outputs:
        return None
    chrf = CHRF()
    score = chrf.corpus_score(outputs, [references]).score
    return AgainstTruth(turns, wrong, caught, false_alarms, score, str(chrf.get_signature()))


def true_turns(sample: TranslatedSample, truth: Truth, lang: str) -> dict[int, str]:
    """The true text of each turn that was translated, by turn number."""
    known = {}
    for turn, source in enumerate(sample.source):
        if sample.meta[turn].status is TurnStatus.COPIED:
            continue
        row = truth.get((english_context(sample.source, turn), without_image(source.text)))
        if row is not None:
            known[turn] = with_image_as_in(row[lang], source.text)
    return known


def _same(text: str, other: str) -> bool:
    return unicodedata.normalize("NFC", text) == unicodedata.normalize("NFC", other)
