"""Structure is sacred: same turns, same roles, `<image>` and all protected spans as they were."""

from palo.checks.structure import image_tags_moved, spans_difference
from palo.schemas import IMAGE_TAG, TranslatedSample, Verdict
from refine.filters import Said, TurnPair, quoted, rule
from refine.filters.thresholds import Thresholds


@rule("the image tag is not byte for byte where it was")
def structure(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    if not image_tags_moved(pair.source, pair.target):
        return None
    return Said(Verdict.REJECT, "the <image> tag was lost, added or moved")


@rule("a protected span is missing, changed or made up")
def placeholder(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    """Spans are URLs, code, LaTeX, boxes, placeholders; the image tag is `structure`'s."""
    if not pair.source_spans and not pair.target_spans:
        return None
    difference = spans_difference(pair.source_spans, pair.target_spans)
    for verdict, said, spans in (
        (Verdict.REJECT, "missing or changed", difference.missing),
        (Verdict.REVIEW, "not in the English", difference.extra),
    ):
        if named := [quoted(text) for text in spans if text != IMAGE_TAG]:
            return Said(verdict, f"{said}: {', '.join(named)}", float(len(named)))
    return None


def broken_structure(sample: TranslatedSample) -> str | None:
    """Why the target turns do not match the source turns at all, or None."""
    source, target = sample.source, sample.target
    if len(source) != len(target):
        return f"{len(target)} target turns for {len(source)} source turns"
    if len(sample.meta) != len(source):
        return f"{len(sample.meta)} records for {len(source)} turns"
    for index, (ours, theirs) in enumerate(zip(source, target, strict=True), start=1):
        if ours.role is not theirs.role:
            return f"turn {index} is by {theirs.role} but was by {ours.role}"
    return None
