"""The policy: how much of a conversation training may use."""

import pytest

from palo.schemas import Verdict
from palo.settings import RefineSettings

GOOD, NOTE, REVIEW, REJECT = Verdict.PASS, Verdict.NOTE, Verdict.REVIEW, Verdict.REJECT


@pytest.mark.parametrize(
    ("policy", "keep_review", "verdicts", "kept"),
    [
        ("drop", False, [GOOD, NOTE, GOOD, GOOD], 4),
        ("drop", False, [GOOD, GOOD, GOOD, REVIEW], 0),
        ("drop", True, [GOOD, GOOD, GOOD, REVIEW], 4),
        ("drop", True, [GOOD, GOOD, GOOD, REJECT], 0),
        ("cut", False, [GOOD, GOOD, GOOD, REJECT], 2),
        ("cut", False, [GOOD, GOOD, REVIEW, GOOD], 2),
        ("cut", False, [GOOD, REJECT], 0),
        ("cut", False, [GOOD, GOOD], 2),
        ("whole", False, [REJECT, REVIEW], 2),
        ("drop", False, [], 0),
    ],
)
def test_kept_turns_follow_the_policy(policy, keep_review, verdicts, kept):
    settings = RefineSettings(policy=policy, keep_review=keep_review)
    assert settings.kept_turns(verdicts) == kept
