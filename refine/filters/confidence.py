"""What the translator itself thought of its words."""

from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair
from refine.filters.thresholds import Bands, thresholds


class ConfidenceFilter(Filter):
    """A note only: how sure a model is differs from model to model and from text to text."""

    name = "confidence"
    about = "the translator was unsure of its words"

    def __init__(self, bands: Bands | None = None) -> None:
        self.bands = bands

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if (
            pair.mean_logprob is None
            or pair.mean_logprob >= thresholds(lang, self.bands).low_logprob
        ):
            return None
        return self.finding(
            Verdict.NOTE, f"mean log probability {pair.mean_logprob:.2f}", pair.mean_logprob
        )
