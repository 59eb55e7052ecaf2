"""The way back into English, scored by sacrebleu's sentence chrF."""

import pytest
from sacrebleu.metrics.chrf import CHRF

from palo.engines.stream import Result, ScriptedEngine
from palo.schemas import Verdict
from palo.settings import BackTranslationSettings, ServerSettings
from refine.filters import TurnPair
from refine.models import BackTranslationFilter
from tests.faulty_server import Fault, FaultyServer

SETTINGS = BackTranslationSettings(model="any")


def saying(text, **result):
    script = lambda asked: Result(asked.tag, text, result.get("finish", "stop"))  # noqa: E731
    return BackTranslationFilter(SETTINGS, ScriptedEngine(script=script))


def test_the_same_meaning_back_is_nothing(pairs):
    assert saying("The circle is red.").look(pairs[0], "ur") is None


def test_another_meaning_back_is_review_with_its_chrf(pairs):
    found = saying("My uncle bought cheese.").look(pairs[0], "ur")
    wanted = CHRF().sentence_score("My uncle bought cheese.", [pairs[0].source]).score
    assert (found.verdict, found.score) == (Verdict.REVIEW, wanted)
    assert "'My uncle bought cheese.'" in found.reason and wanted < 30


@pytest.mark.parametrize(("text", "finish"), [("", "stop"), ("The circle is red.", "length")])
def test_no_whole_answer_is_review(pairs, text, finish):
    found = saying(text, finish=finish).look(pairs[0], "ur")
    assert found.verdict is Verdict.REVIEW and found.reason.startswith("could not be judged")


def test_image_tags_are_not_translated_back():
    asked = []

    def listen(request):
        asked.append(request.messages[0].content)
        return Result(request.tag, "Red.", "stop")

    one = BackTranslationFilter(SETTINGS, ScriptedEngine(script=listen))
    assert one.look(TurnPair("<image>\nRed.", "<image>\nسرخ۔"), "ur") is None
    assert asked[0].startswith("Translate the Urdu text") and asked[0].endswith("\n\nسرخ۔")


def test_any_openai_compatible_server_serves(pairs):
    text = {pairs[0].target: pairs[0].source, pairs[1].target: "Cheese."}
    faulty = FaultyServer(
        lambda asked, number: Fault.BUSY if number == 0 else Fault.NONE,
        lambda asked: text[asked],
        text=lambda content: content.rpartition("\n\n")[2],
    )
    with faulty.running():
        server = ServerSettings(base_url=faulty.url)
        one = BackTranslationFilter(BackTranslationSettings(model="served", server=server))
        found = one.judge(pairs, "ur")
    assert found[0] is None and found[1].verdict is Verdict.REVIEW
