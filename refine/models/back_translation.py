"""The translation goes back into English and is compared with where it came from."""

from collections.abc import Sequence

from palo.engines.stream import Engine
from palo.languages import info
from palo.schemas import Finding, Verdict
from palo.settings import BackTranslationSettings
from refine.filters.contract import quoted
from refine.models.asking import Asked, failure
from refine.models.column import ColumnFilter
from refine.models.prompts import prompt


class BackTranslationFilter(ColumnFilter):
    """sacrebleu's sentence chrF (Popović 2015; 0 to 100) of the way back against the English.

    Two good translations differ in words, so only a low score says anything; the default of 30 is
    no published figure and must be calibrated on verified pairs, for each engine.
    """

    name = "back_translation"
    about = "translated back into English, it says something else"

    def __init__(self, settings: BackTranslationSettings, engine: Engine | None = None) -> None:
        self._settings, self._asked = settings, Asked(settings, engine)

    def judge_texts(self, texts: Sequence[tuple[str, str]], lang: str) -> Sequence[Finding | None]:
        from sacrebleu.metrics.chrf import CHRF

        chrf, language = CHRF(), info(lang).name
        prompts = [
            prompt("back_translation", language=language, target=target) for _, target in texts
        ]
        found: list[Finding | None] = []
        for (english, _), answer in zip(texts, self._asked.ask(prompts), strict=True):
            if why := failure(answer):
                found.append(self.not_judged(why))
                continue
            back = answer.text.strip()
            score = chrf.sentence_score(back, [english]).score
            said = f"back in English it reads {quoted(back, 80)} (chrF {score:.0f})"
            low = score < self._settings.min_chrf
            found.append(self.finding(Verdict.REVIEW, said, score) if low else None)
        return found
