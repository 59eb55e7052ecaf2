"""What the engine said of its own work is heard."""

from palo.schemas import TurnStatus
from refine.filters.engine import FailedFilter, TruncatedFilter


def test_a_failed_turn_is_rejected_with_its_problem(look):
    found = look(FailedFilter(), "Two.", "", status=TurnStatus.FAILED, problem="empty")
    assert found == ("reject", "translation failed: empty")
    assert look(FailedFilter(), "Two.", "دو۔") is None


def test_a_turn_cut_off_at_the_limit_is_rejected(look):
    found = look(TruncatedFilter(), "Two.", "دو", finish_reason="length")
    assert found == ("reject", "cut off at the translator's token limit")
    assert look(TruncatedFilter(), "Two.", "دو۔", finish_reason="stop") is None
