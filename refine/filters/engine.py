"""What the engine itself said: the translation failed, or was cut off."""

from palo.schemas import Finding, TurnStatus, Verdict
from refine.filters.contract import Filter, Pair


class FailedFilter(Filter):
    name = "failed"
    about = "every attempt of the translator failed validation"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if pair.status is not TurnStatus.FAILED:
            return None
        return self.finding(
            Verdict.REJECT, f"translation failed: {pair.problem or 'no reason was given'}"
        )


class TruncatedFilter(Filter):
    name = "truncated"
    about = "the translator ran out of tokens"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if pair.finish_reason != "length":
            return None
        return self.finding(Verdict.REJECT, "cut off at the translator's token limit")
