"""Structure is sacred: same turns, same roles, `<image>` where it was."""

from palo.checks.structure import image_tags_moved
from palo.schemas import Finding, TranslatedSample, Verdict
from refine.filters.contract import Filter, Pair


class StructureFilter(Filter):
    name = "structure"
    about = "the image tag is not byte for byte where it was"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if not image_tags_moved(pair.source, pair.target):
            return None
        return self.finding(Verdict.REJECT, "the <image> tag was lost, added or moved")


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
