"""A filter that judges a column at once, because a model is faster on many pairs than on one."""

from abc import abstractmethod
from collections.abc import Sequence

from palo.checks.structure import without_frame
from palo.schemas import Finding, TurnStatus, Verdict
from refine.filters.contract import Filter, Pair

# Nothing to ask a model: no translation there is, or a person has the last word.
_NOT_ASKED = frozenset({TurnStatus.COPIED, TurnStatus.FAILED, TurnStatus.VERIFIED})


class ColumnFilter(Filter):
    """Equal pairs are asked about once; pairs without words on both sides never."""

    @abstractmethod
    def judge_texts(self, texts: Sequence[tuple[str, str]], lang: str) -> Sequence[Finding | None]:
        """One finding (or None) a pair of English and translation, in order."""

    def look(self, pair: Pair, lang: str) -> Finding | None:
        return self.judge([pair], lang)[0]

    def judge(self, pairs: Sequence[Pair], lang: str) -> list[Finding | None]:
        asked = [
            (without_frame(one.source), without_frame(one.target)) if _is_asked(one) else None
            for one in pairs
        ]
        texts = list(dict.fromkeys(filter(None, asked)))
        found = dict(zip(texts, self.judge_texts(texts, lang), strict=True)) if texts else {}
        return [found[text] if text else None for text in asked]

    def not_judged(self, why: str) -> Finding:
        """What a model could not judge is a person's matter; it never passes."""
        return self.finding(Verdict.REVIEW, f"could not be judged: {why}")


def _is_asked(pair: Pair) -> bool:
    return pair.status not in _NOT_ASKED and bool(pair.source_words and pair.target_words)
