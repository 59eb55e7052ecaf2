"""Which translator wrote what is reviewed: error rates are a translator's, not a language's."""

from collections.abc import Iterable

from palo.schemas import TranslatedSample, TurnStatus


def translator_of(samples: Iterable[TranslatedSample]) -> str:
    """Engine and signature of the first translated turn; "" where the machine wrote none."""
    for sample in samples:
        for one in sample.meta:
            if one.status is TurnStatus.TRANSLATED:
                return f"{one.engine} {one.signature}".strip()
    return ""
