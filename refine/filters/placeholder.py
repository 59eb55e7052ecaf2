"""Protected spans (URLs, code, LaTeX, boxes, placeholders) must come back as they were."""

from palo.checks.structure import spans_difference
from palo.schemas import IMAGE_TAG, Finding, Verdict
from refine.filters.contract import Filter, Pair, quoted


class PlaceholderFilter(Filter):
    name = "placeholder"
    about = "a protected span is missing, changed or made up"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if not pair.source_spans and not pair.target_spans:
            return None
        difference = spans_difference(pair.source_spans, pair.target_spans)
        missing = [text for text in difference.missing if text != IMAGE_TAG]
        extra = [text for text in difference.extra if text != IMAGE_TAG]
        if missing:
            return self.finding(
                Verdict.REJECT,
                "missing or changed: " + ", ".join(map(quoted, missing)),
                float(len(missing)),
            )
        if extra:
            return self.finding(
                Verdict.REVIEW,
                "not in the English: " + ", ".join(map(quoted, extra)),
                float(len(extra)),
            )
        return None
