"""What the engine itself said of its work, and what it did instead of translating."""

from palo.checks.faults import (
    answered,
    explanation,
    leaked_delimiter,
    preamble,
    refusal,
    repeated_phrase,
)
from palo.schemas import Finding, TurnStatus, Verdict
from refine.filters import Filter, TurnPair, quoted


class FailedFilter(Filter):
    name = "failed"
    about = "every attempt of the translator failed validation"

    def look(self, pair: TurnPair, lang: str) -> Finding | None:
        if pair.status is not TurnStatus.FAILED:
            return None
        why = pair.problem or "no reason was given"
        return self.finding(Verdict.REJECT, f"translation failed: {why}")


class TruncatedFilter(Filter):
    name = "truncated"
    about = "the translator ran out of tokens"

    def look(self, pair: TurnPair, lang: str) -> Finding | None:
        if pair.finish_reason != "length":
            return None
        return self.finding(Verdict.REJECT, "cut off at the translator's token limit")


class ConfidenceFilter(Filter):
    """A note only: how sure a model is differs from model to model and from text to text."""

    name = "confidence"
    about = "the translator was unsure of its words"

    def look(self, pair: TurnPair, lang: str) -> Finding | None:
        sure = pair.mean_logprob
        if sure is None or sure >= self.usual(lang).low_logprob:
            return None
        return self.finding(Verdict.NOTE, f"mean log probability {sure:.2f}", sure)


class PreambleFilter(Filter):
    name = "preamble"
    about = "introduces or explains the translation, adds lines, or leaks the prompt's delimiter"

    def look(self, pair: TurnPair, lang: str) -> Finding | None:
        if mark := leaked_delimiter(pair.source, pair.target):
            return self.finding(Verdict.REJECT, f"leaked delimiter {quoted(mark)}")
        if phrase := preamble(pair.source_words, pair.target_words, lang):
            return self.finding(Verdict.REJECT, f"begins with {quoted(phrase)}")
        if phrase := explanation(pair.source_words, pair.target_words, lang):
            return self.finding(Verdict.REVIEW, f"explains itself: {quoted(phrase)}")
        if "\n" in pair.target_words and "\n" not in pair.source_words:
            return self.finding(Verdict.REVIEW, "several lines where the English is one")
        return None


class RefusalFilter(Filter):
    name = "refusal"
    about = "refuses instead of translating"

    def look(self, pair: TurnPair, lang: str) -> Finding | None:
        phrase = refusal(pair.source_words, pair.target_words, lang)
        return self.finding(Verdict.REJECT, f"refuses: {quoted(phrase)}") if phrase else None


class AnsweredFilter(Filter):
    name = "answered"
    about = "the question was answered instead of translated"

    def look(self, pair: TurnPair, lang: str) -> Finding | None:
        if not pair.target_words or not answered(pair.source, pair.target, lang):
            return None
        return self.finding(Verdict.REVIEW, "the English asks, the translation does not")


class RepetitionFilter(Filter):
    name = "repetition"
    about = "a phrase stands three times or more in a row"

    def look(self, pair: TurnPair, lang: str) -> Finding | None:
        phrase = repeated_phrase(pair.target_words)
        if phrase is None or repeated_phrase(pair.source_words):
            return None
        return self.finding(Verdict.REVIEW, f"repeats {quoted(phrase)} again and again")
