"""`palo refine calibrate`: derives the bands of thresholds.yaml from any verified set.

    palo refine calibrate gold.tsv --lang ur --output thresholds.yaml
    palo refine calibrate --lang all --output thresholds.yaml    # what reviewers have verified

The filters go by the file once `refine.thresholds_path` in pipelines.yaml names it.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from palo.checks.language import LanguageId
from palo.checks.lexicon import agreement
from palo.checks.lexicon import languages as lexicon_languages
from palo.checks.script import script_share
from palo.checks.structure import without_frame
from palo.console import note, table
from palo.errors import UserError
from palo.files import write_text
from palo.memory import VerifiedMemory
from palo.paths import DataPaths
from palo.settings import Profile
from palo.shards import read_translated, shard_paths
from refine.filters import Thresholds, TurnPair, bands_of, load_thresholds, shipped
from refine.filters.language import SURE_LETTERS, without_names
from refine.pairs import read_pairs
from refine.review_file import text_hash

MIN_PAIRS = 200  # fewer have no half a percent
MIN_LOGPROBS = 100
MIN_SOURCE_CHARS = 20  # the ratio of shorter texts says little; the length filter widens for them
_TAIL = 0.005  # of the pairs lie beyond each end of a band
_LOGPROB_TAIL = 0.01
_FOREIGN_TAIL = 0.001  # of the pairs may surely be in another language: verified sets have mistakes
_FOREIGN_ROOM, _MOST_FOREIGN = 0.02, 0.99  # above the highest share that was wrong
_SHOWN = {
    "length_ratio": "length ratio", "usual_ratio": "usual", "script_share": "script share",
    "lexicon_score": "lexicon", "low_logprob": "low logprob",
}  # fmt: skip
_SCRIPT_SHARES = (0.4, 0.95)  # the filter rejects below the first; names need room above the other


def calibrate(settings: Profile, langs: Sequence[str], pairs: Path | None, output: Path) -> Table:
    """Writes the bands of a file or of reviews, and shows the shipped beside them."""
    if pairs is not None and len(langs) != 1:
        raise UserError(f"{pairs} holds one language. Say which: --lang ur.")
    identifier = LanguageId(settings.refine.language_id_model)
    bands: dict[str, Thresholds] = {}
    rows = []

    def said(value: Any) -> str:
        return "-".join(f"{part:.2f}" for part in (value if isinstance(value, tuple) else [value]))

    for code in langs:
        verified = list(read_pairs(pairs) if pairs else reviewed_pairs(settings.paths, code))
        if len(verified) < MIN_PAIRS and len(langs) > 1:
            note(f"{code}: {len(verified)} verified pairs are too few ({MIN_PAIRS} at least); kept")
            continue
        bands[code] = calibrated(verified, code, identifier)
        ends = ((getattr(bands_of(code), name), getattr(bands[code], name)) for name in _SHOWN)
        changes = (f"{said(before)} -> {said(after)}" for before, after in ends)
        rows.append((code, str(len(verified)), *changes))
    if not bands:
        raise UserError(
            f"Too few verified pairs for {' '.join(langs)}: at least {MIN_PAIRS} a language are "
            "needed. Give a file of them, or have more turns reviewed."
        )
    write_thresholds(output, bands)
    title = "bands: shipped -> calibrated"
    return table("language", "pairs", *_SHOWN.values(), rows=rows, title=title)


def calibrated(
    told: Sequence[TurnPair], lang: str, identifier: LanguageId | None = None
) -> Thresholds:
    """The bands of these pairs, with that language ID. Raises UserError for too few of them."""
    ratios = [
        len(pair.target_words) / len(pair.source_words)
        for pair in told
        if len(pair.source_words) >= MIN_SOURCE_CHARS and pair.target_words
    ]
    if len(ratios) < MIN_PAIRS:
        raise UserError(
            f"{lang}: {len(ratios)} pairs have {MIN_SOURCE_CHARS} characters of English or more; "
            f"at least {MIN_PAIRS} are needed to tell what is usual."
        )
    bands = bands_of(lang).model_dump()  # what is not told stays
    bands["length_ratio"] = (round(_at(ratios, _TAIL), 3), round(_at(ratios, 1 - _TAIL), 3))
    bands["usual_ratio"] = round(statistics.median(ratios), 3)
    shares = (script_share(without_names(pair), lang) for pair in told)
    least, most = _SCRIPT_SHARES
    known = [share for share in shares if share is not None]
    bands["script_share"] = round(min(most, max(least, _at(known, _TAIL))), 3)
    # higher than shipped where language ID is surer of wrong guesses
    detect = (identifier or LanguageId()).detect_letters
    seen = [detect(pair.target_words, lang, pair.target_scripts) for pair in told]
    sure = [guess for guess in seen if guess.lang != lang and guess.letters >= SURE_LETTERS]
    wrong = sorted((guess.share for guess in sure), reverse=True)
    if len(wrong) > (spared := round(_FOREIGN_TAIL * len(told))):
        highest = min(_MOST_FOREIGN, round(wrong[spared] + _FOREIGN_ROOM, 3))
        bands["foreign_share"] = max(bands["foreign_share"], highest)
    if lang in lexicon_languages():
        scores = [agreement(pair.source_words, pair.target_words, lang)[0] for pair in told]
        bands["lexicon_score"] = round(min(0.0, _at(scores, _TAIL)), 2)
    logprobs = [pair.mean_logprob for pair in told if pair.mean_logprob is not None]
    if len(logprobs) >= MIN_LOGPROBS:
        bands["low_logprob"] = round(_at(logprobs, _LOGPROB_TAIL), 3)
    return Thresholds(**bands)


def reviewed_pairs(paths: DataPaths, lang: str) -> Iterator[TurnPair]:
    """Every turn of the translated shards that a reviewer accepted or corrected. What the
    translator thought of its words counts where they were accepted as they stood."""
    with VerifiedMemory.existing(paths.verified(lang)) as memory:
        for path in [*shard_paths(paths.translated(lang)), *shard_paths(paths.seed_dir / lang)]:
            for sample in read_translated(path):
                for turn, word in memory.of_sample(sample.sample_id, sample.source).items():
                    machine = text_hash(without_frame(sample.target[turn].text))
                    accepted = machine == text_hash(without_frame(word.text))
                    logprob = sample.meta[turn].mean_logprob if accepted else None
                    yield TurnPair(sample.source[turn].text, word.text, mean_logprob=logprob)


def write_thresholds(path: Path, bands: Mapping[str, Thresholds]) -> None:
    """Writes the bands; what the file says of other languages stays."""
    kept = load_thresholds(path) if path.is_file() and path.stat().st_size else {}
    merged = {lang: row for lang, row in kept.items() if row != shipped().get(lang)} | dict(bands)
    rows = {lang: row.model_dump(mode="json") for lang, row in sorted(merged.items())}
    write_text(
        path,
        "# Written by `palo refine calibrate`; units as in refine/filters/thresholds.yaml.\n"
        + yaml.safe_dump({"languages": rows}, sort_keys=False, default_flow_style=None),
    )


def _at(values: Sequence[float], share: float) -> float:
    """The value below which the share lies."""
    return sorted(values)[round(share * (len(values) - 1))]
