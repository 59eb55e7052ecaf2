"""Optional filters that ask a model; all off until `refine.models` in pipelines.yaml names them."""

from typing import TYPE_CHECKING

from palo.files import digest
from palo.settings import ModelFilterSettings

if TYPE_CHECKING:  # refine.filters lists these filters among its own
    from refine.filters.contract import Filter


def model_filters(settings: ModelFilterSettings) -> "tuple[Filter, ...]":
    """The filters that are on; their models are loaded at the first pair."""
    from refine.models.back_translation import BackTranslationFilter
    from refine.models.judge import JudgeFilter
    from refine.models.labse import LabseFilter
    from refine.models.metricx import MetricxFilter

    found: list[Filter] = []
    if settings.labse:
        found.append(LabseFilter(settings.labse))
    if settings.metricx:
        found.append(MetricxFilter(settings.metricx))
    if settings.back_translation:
        found.append(BackTranslationFilter(settings.back_translation))
    if settings.judge:
        found.append(JudgeFilter(settings.judge))
    return tuple(found)


def models_digest(settings: ModelFilterSettings) -> str:
    """What decides these filters' findings; "" where all are off.

    Raises MissingResource for weights that are not on this machine.
    """
    if settings == ModelFilterSettings():
        return ""
    from refine.models.asking import asked_version
    from refine.models.prompts import prompts_version
    from refine.models.weights import model_version

    said: list[object] = [prompts_version()]
    if one := settings.labse:
        said += ["labse", model_version(one.model, one.revision), one.min_similarity]
        said += [one.dtype, one.max_tokens]
    if two := settings.metricx:
        said += ["metricx", model_version(two.model, two.revision), two.max_score, two.dtype]
        said += [model_version(two.tokenizer, two.tokenizer_revision)]
        said += [two.max_input_tokens, two.score_token]
    if three := settings.back_translation:
        said += ["back_translation", asked_version(three), three.min_chrf]
    if four := settings.judge:
        said += ["judge", asked_version(four)]
    return digest(said)
