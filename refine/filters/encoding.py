"""Letters that went through the wrong encoding."""

from palo.checks.encoding import REPLACEMENT, entity, lost_letters, mojibake
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair, quoted


class EncodingFilter(Filter):
    name = "encoding"
    about = "damaged letters: mojibake, replacement characters, HTML entities"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        if pair.target.count(REPLACEMENT) > pair.source.count(REPLACEMENT):
            return self.finding(Verdict.REJECT, "letters are lost (U+FFFD)")
        if found := mojibake(pair.target):
            if found in pair.source:
                return None
            return self.finding(Verdict.REJECT, f"UTF-8 read in another encoding: {quoted(found)}")
        if found := lost_letters(pair.source, pair.target):
            return self.finding(
                Verdict.REVIEW, f"question marks in place of letters: {quoted(found)}"
            )
        if found := entity(pair.source, pair.target):
            return self.finding(Verdict.REVIEW, f"HTML entity {quoted(found)}")
        return None
