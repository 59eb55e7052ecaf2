"""The filters as the report's JSON tells them: what each looks for, its thresholds, their sources.

The dataset's card is written from this, so it needs nothing of the filters' code.
"""

from typing import Any

from palo.settings import RefineSettings
from refine.filters import default_filters, version
from refine.filters.duplicate import DuplicateFilter
from refine.filters.thresholds import Thresholds, load_thresholds, shipped

# As thresholds.yaml says at greater length.
SOURCES = {
    "length_ratio": "target/source characters, 0.5% to 99.5% of 1,004 gold pairs a language",
    "usual_ratio": "median of target/source characters on gold pairs of 20 characters or more",
    "script_share": "share of letters in the language's scripts, 0.5% of the same gold pairs",
    "short_unfinished_share": "of the usual ratio; shorter texts without a final mark are cut off",
    "foreign_share": "above the most that language ID gave a gold row of the language (.55 to .70)",
    "lexicon_score": "0.4% to 0.9% of gold rows that the weights have not seen",
    "low_logprob": "nats a token; a matter of the translator, calibrated on accepted translations",
}


def described(settings: RefineSettings, langs: list[str]) -> dict[str, Any]:
    """`own` are the languages whose thresholds are calibrated ones."""
    bands = load_thresholds(settings.thresholds_path)
    own = [lang for lang in langs if bands[lang] != shipped()[lang]]
    filters = (*default_filters(settings), DuplicateFilter({}))
    return {
        "version": version(),
        "filters": {one.name: one.about for one in filters},
        "thresholds": {lang: bands[lang].model_dump(mode="json") for lang in langs},
        "threshold_sources": {name: SOURCES[name] for name in Thresholds.model_fields},
        "calibrated": own,
    }
