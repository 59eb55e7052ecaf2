"""What the truth says of a run: how good the translations are, and what the filters caught."""

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from palo.memory import english_context
from palo.paths import DataPaths
from palo.schemas import RefinedSample, TranslatedSample, TurnStatus
from palo.settings import Profile
from palo.shards import read_refined, read_translated, shard_paths
from sceneworld.truth import Truth, load_truth, with_image_as_in, without_image


@dataclass(frozen=True)
class TruthFigures:
    """Of the turns whose truth is known, whoever wrote them (copied ones left out).

    `wrong`: turns that differ from the truth at all; `caught`: wrong turns that refine flagged;
    `false_alarms`: right turns flagged. chrf: sacrebleu's corpus chrF, 0-100, with its signature,
    of the turns that the engine wrote alone.
    """

    turns: int
    wrong: int
    caught: int
    false_alarms: int
    chrf: float
    signature: str


def measure(profile: Profile) -> dict[str, TruthFigures]:
    """Figures by language, for those that have been translated; empty without a sample world."""
    path = DataPaths(profile.data_dir).world_dir / "truth.jsonl"
    if profile.world is None or not path.is_file():
        return {}
    truth = load_truth(path)
    paths = DataPaths(profile.data_dir)
    languages = {lang for row in truth.values() for lang in row}
    measured = {
        lang: measure_language(lang, truth, paths.translated(lang), paths.refined(lang))
        for lang in sorted(languages)
    }
    return {lang: figures for lang, figures in measured.items() if figures}


def measure_language(
    lang: str, truth: Truth, translated_dir: Path, refined_dir: Path
) -> TruthFigures | None:
    """None where nothing of the language can be compared."""
    from sacrebleu.metrics.chrf import CHRF

    flagged = {
        (refined.sample.sample_id, turn)
        for path in shard_paths(refined_dir)
        for refined in read_refined(path)
        for turn in flagged_turns(refined)
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
    signature = str(chrf.get_signature())
    return TruthFigures(turns, wrong, caught, false_alarms, score, signature)


def flagged_turns(refined: RefinedSample) -> list[int]:
    return [turn for turn, verdict in enumerate(refined.turn_verdicts) if verdict.flagged]


def true_turns(sample: TranslatedSample, truth: Truth, lang: str) -> dict[int, str]:
    """The true text of each turn that was translated, by turn number."""
    found = {}
    for turn, source in enumerate(sample.source):
        if sample.meta[turn].status is TurnStatus.COPIED:
            continue
        context = english_context(sample.source, turn)
        row = truth.get((context, without_image(source.text)))
        if row is not None:
            found[turn] = with_image_as_in(row[lang], source.text)
    return found


def _same(text: str, other: str) -> bool:
    return unicodedata.normalize("NFC", text) == unicodedata.normalize("NFC", other)
