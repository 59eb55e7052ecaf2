"""Measures the default filters: gold text must pass, injected faults must not.

    .venv/bin/python -m benchmarks.filters
    .venv/bin/python -m benchmarks.filters --table     # the tables of docs/benchmarks.md
    .venv/bin/python -m benchmarks.filters --weights   # palo/checks/lexicon_weights.tsv anew

Gold text is benchmarks/gold (Tatoeba) and the sample world's truths; faults are made from the
gold rows (benchmarks/faults.py). `gold_reject_max` and `gold_review_max` are the largest shares
of gold segments, of any length and of answers of one to three words, in any language.
`fault_recall_min` is the smallest share of faults that came out as review or reject, over faults
and languages; rows that rules can hardly see (swapped rows, phrases that no list
holds) are reported apart. `held_out` says the same of the odd gold rows alone, by bands that
`palo refine calibrate` derived from the even ones.

`--weights` counts the weights of palo/checks/lexicon.tsv on the even gold rows, after a change of
it. The odd rows stay unseen; the cuts in refine/filters/thresholds.yaml are read off them.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.faults import FAULTS, faulty
from benchmarks.harness import ROOT, finish, gold_pairs, small_world
from palo.checks.lexicon import count_weights, english_words, languages
from palo.languages import TARGETS
from palo.schemas import Finding, Verdict
from palo.settings import RefineSettings
from refine.calibrate import calibrated, write_thresholds
from refine.filters import Filter, TurnPair
from refine.judgement import default_filters, judge, verdict
from sceneworld.build import build_world
from sceneworld.truth import load_truth

LIMITS = {
    "gold_reject_max": 0.005,
    "gold_review_max": 0.03,
    "fault_recall_min": 0.95,
    "swapped_recall": 0.40,
}
# Reported, but no part of `fault_recall_min`: what no rule can be sure of.
APART = ("swapped", "unseen_preamble", "unseen_refusal")
SHORT_WORDS = 3
# Which filter is there for which fault.
MEANT_FOR = {
    "wrong_language": "language", "other_script": "script", "half_english": "mixed",
    "source_echo": "source_copy", "loop": "repetition", "truncation": "truncated",
    "silent_truncation": "unfinished", "lost_placeholder": "placeholder", "preamble": "preamble",
    "refusal": "refusal", "answered": "answered", "swapped": "lexicon",
}  # fmt: skip
Gold = Mapping[str, Sequence[TurnPair]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, help="gold rows a language; default: all")
    parser.add_argument("--table", action="store_true", help="print Markdown tables too")
    parser.add_argument("--weights", action="store_true", help="write the lexicon's weights")
    options = parser.parse_args()
    gold = gold_pairs(options.rows)
    gold = {lang: gold[lang] for lang in map(str, TARGETS)}
    if options.weights:
        return write_weights(gold)
    settings = RefineSettings()
    figures = measured(gold, settings)
    world = world_gold()
    figures["world"] = gold_shares(world, judged(world, default_filters(settings)), settings)
    figures["held_out"] = held_out(gold, settings)
    figures["limits"] = LIMITS
    if options.table:
        print(tables(figures))
    return finish(figures)


def write_weights(gold: Gold) -> None:
    columns = [
        [
            f"{weight.found:g}/{weight.missing:g}"
            for weight in count_weights([(row.source, row.target) for row in gold[lang][::2]], lang)
        ]
        for lang in languages()
    ]
    lines = [["notion", *languages()], *map(list, zip(english_words(), *columns, strict=True))]
    text = "".join("\t".join(line) + "\n" for line in lines)
    (ROOT / "palo/checks/lexicon_weights.tsv").write_text(text, "utf-8")
    finish({"notions": len(lines) - 1, "languages": len(columns)})


def measured(gold: Gold, settings: RefineSettings) -> dict[str, Any]:
    filters = default_filters(settings)
    findings = judged(gold, filters)
    shares = gold_shares(gold, findings, settings)
    recall, spoken = faults_caught(gold, filters, settings)
    return {
        **{
            f"gold_{kind}_max": max(max(of[kind], of[f"short_{kind}"]) for of in shares.values())
            for kind in ("reject", "review")
        },
        "fault_recall_min": smallest(recall, [name for name in FAULTS if name not in APART]),
        **{f"{name}_recall": smallest(recall, [name]) for name in APART},
        "gold": shares,
        "recall": recall,
        "filters": {
            name: {
                lang: precision_and_recall(hits[lang], spoken_share(findings[lang], name))
                for lang in gold
            }
            for name, hits in spoken.items()
        },
    }


def judged(gold: Gold, filters: Sequence[Filter]) -> dict[str, list[tuple[Finding, ...]]]:
    return {lang: judge(filters, rows, lang) for lang, rows in gold.items()}


def gold_shares(
    gold: Gold, findings: Mapping[str, Sequence[tuple[Finding, ...]]], settings: RefineSettings
) -> dict[str, dict[str, float]]:
    """Per language: segments, shares that came out as reject and review, and of short answers."""
    shares = {}
    for lang, rows in gold.items():
        verdicts = [verdict(row, settings.notes_for_review) for row in findings[lang]]
        words = [len(row.source.split()) for row in rows]
        short = [each for each, count in zip(verdicts, words, strict=True) if count <= SHORT_WORDS]
        shares[lang] = {
            "segments": len(rows),
            "reject": share(verdicts, Verdict.REJECT),
            "review": share(verdicts, Verdict.REVIEW),
            "short_segments": len(short),
            "short_reject": share(short, Verdict.REJECT),
            "short_review": share(short, Verdict.REVIEW),
        }
    return shares


def faults_caught(
    gold: Gold, filters: Sequence[Filter], settings: RefineSettings
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Recall by fault and language; and of each filter over the fault it is there for."""
    recall: dict[str, dict[str, float]] = {}
    spoken: dict[str, dict[str, float]] = {}
    for name in FAULTS:
        recall[name] = {}
        for lang in gold:
            findings = judge(filters, faulty(name, lang, gold), lang)
            caught = [verdict(row, settings.notes_for_review).flagged for row in findings]
            recall[name][lang] = round(sum(caught) / len(caught), 4)
            if meant := MEANT_FOR.get(name):
                spoken.setdefault(meant, {})[lang] = spoken_share(findings, meant)
    return recall, spoken


def spoken_share(findings: Sequence[Sequence[Finding]], name: str) -> float:
    """Of the rows, those that the filter asks review of or rejects."""
    spoke = [any(each.filter == name and each.verdict.flagged for each in row) for row in findings]
    return sum(spoke) / len(spoke)


def precision_and_recall(hit: float, wrong: float) -> dict[str, float | None]:
    """Precision is for as many faulty rows as good ones; a rarer fault has less of it."""
    precision = round(hit / (hit + wrong), 4) if hit + wrong else None
    return {"precision": precision, "recall": round(hit, 4)}


def held_out(gold: Gold, settings: RefineSettings) -> dict[str, float]:
    """Bands from the even rows, measured on the odd ones."""
    bands = {lang: calibrated(rows[::2], lang) for lang, rows in gold.items()}
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        write_thresholds(Path(file.name), bands)
        own = settings.model_copy(update={"thresholds_path": Path(file.name)})
        odd = measured({lang: rows[1::2] for lang, rows in gold.items()}, own)
    return {name: odd[name] for name in LIMITS}


def world_gold() -> dict[str, list[TurnPair]]:
    """The sample world's exact translations, whose pictures this benchmark has no use for."""
    with tempfile.TemporaryDirectory() as folder:
        build_world(Path(folder), small_world(3, source_images=100))
        truth = load_truth(Path(folder) / "truth.jsonl")
    return {
        str(lang): [TurnPair(english, row[lang]) for (_, english), row in truth.items()]
        for lang in TARGETS
    }


def smallest(recall: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> float:
    return min(value for name in names for value in recall[name].values())


def share(verdicts: Sequence[Verdict], kind: Verdict) -> float:
    return round(Counter(verdicts)[kind] / len(verdicts), 4) if verdicts else 0.0


def tables(figures: Mapping[str, Any]) -> str:
    """Markdown: gold shares, recall by fault, and precision and recall by filter."""
    rows = {
        f"{where} {kind.replace('_', ' ')}": [f"{100 * of[kind]:.1f}" for of in shares.values()]
        for where, shares in (("gold", figures["gold"]), ("world", figures["world"]))
        for kind in ("reject", "review", "short_reject", "short_review")
    }
    for name, by_lang in figures["recall"].items():
        rows[name.replace("_", " ")] = [f"{100 * value:.1f}" for value in by_lang.values()]
    filters = {
        name: [
            f"{100 * (of['precision'] or 0):.1f} / {100 * of['recall']:.1f}"
            for of in by_lang.values()
        ]
        for name, by_lang in figures["filters"].items()
    }
    langs = list(figures["gold"])
    return f"{markdown('share, %', langs, rows)}\n\n{markdown('filter', langs, filters)}\n"


def markdown(title: str, langs: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    lines = [[title, *langs], ["---", *("--:" for _ in langs)]]
    lines += [[name, *row] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
