import pickle

import pytest

from sceneworld import messages as m

CIRCLE = m.Kind(m.Shape.CIRCLE, m.Colour.RED)
CLASSES = m.Message.__subclasses__()


@pytest.mark.parametrize(
    "message", [m.Yes(), m.AskSide(CIRCLE, m.Side.LEFT, m.Kind()), m.SayList((m.Group(2, CIRCLE),))]
)
def test_a_message_comes_back_from_another_process_as_it_was(message):
    assert pickle.loads(pickle.dumps(message)) == message


def test_every_class_of_messages_is_found_by_its_own_name():
    assert len(CLASSES) > 30
    assert [each for each in CLASSES if pickle.loads(pickle.dumps(each)) is not each] == []
