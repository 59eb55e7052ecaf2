"""One pair, one filter, one finding."""

import pytest

from palo.schemas import TurnStatus
from refine.filters import TurnPair


@pytest.fixture
def look():
    """look(filter, source, target, lang) -> (verdict, reason), or None for no finding."""

    def look(one, source, target, lang="ur", status=TurnStatus.TRANSLATED, **engine):
        (found,) = one.judge([TurnPair(source, target, status, **engine)], lang)
        return None if found is None else (str(found.verdict), found.reason)

    return look
