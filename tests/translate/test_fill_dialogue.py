"""Runs with `context: dialogue`: a turn is asked once the turns before it are known."""

from dataclasses import replace

import pytest

from palo.engines.stream import ScriptedEngine, scripted_result
from palo.memory import TranslationMemory, VerifiedEntry, VerifiedMemory
from palo.settings import Context
from palo.shards import read_translated, shard_paths
from translate.run import translate_language


@pytest.fixture
def job(make_job):
    return make_job(context=Context.DIALOGUE)


def run(paths, job, script=scripted_result):
    asked = []

    def watched(request):
        asked.append(request.messages[0].content)
        return script(request)

    report = translate_language(job, paths, ScriptedEngine(script=watched))
    rows = [row for path in shard_paths(paths.translated("fr")) for row in read_translated(path)]
    return report, rows, asked


def test_a_prompt_shows_the_translations_of_the_turns_before(paths, job):
    report, rows, asked = run(paths, job)
    assert report.account.by_status == {"translated": 160}
    prompts = set(asked)
    assert len(prompts) == len(asked) == report.fill.sent
    for row in rows:
        question, answer = (turn.text.removeprefix("<image>\n") for turn in row.target[:2])
        english = [turn.text.replace("<image>", "").strip() for turn in row.source]
        assert any(
            prompt.endswith(
                f"User: {english[0]}\nTranslation: {question}\nAssistant: {english[1]}\n"
                f"Translation: {answer}\nText: How many?"
            )
            for prompt in prompts
        )


def test_first_questions_are_shared_and_the_rest_is_its_conversations_own(paths, job):
    report, _, _ = run(paths, job)
    assert report.fill.sent == 7 + 3 * 40


def test_second_run_sends_and_writes_nothing(paths, job):
    first, _, _ = run(paths, job)
    report, _, asked = run(paths, job)
    assert (asked, report.written) == ([], 0)
    assert first.written == 6


def test_a_killed_run_asks_only_for_what_is_missing(paths, job):
    def interrupted(request):
        seen.append(request)
        if len(seen) > 50:
            raise KeyboardInterrupt
        return scripted_result(request)

    seen = []
    with pytest.raises(KeyboardInterrupt):
        run(paths, job, interrupted)
    with TranslationMemory(paths.memory("fr")) as memory:
        assert memory.count() == 50
    report, rows, _ = run(paths, job)
    assert report.fill.sent == 127 - 50
    assert len(rows) == 40


def test_a_correction_is_shown_to_the_turns_after_it_and_only_they_are_asked_again(paths, job):
    _, rows, _ = run(paths, job)
    last = rows[-1]
    word = VerifiedEntry(
        last.source[1].text, last.source[0].text.removeprefix("<image>\n"),
        "Vu sur https://example.org/39.", last.sample_id, 1, False, "ana", "b1", "2026",
    )  # fmt: skip
    with VerifiedMemory(paths.verified("fr")) as verified:
        verified.put([word])
    report, again, asked = run(paths, job)
    assert report.fill.sent == 2
    assert all("Translation: Vu sur https://example.org/39." in prompt for prompt in asked)
    assert report.account.by_status == {"translated": 159, "verified": 1}
    assert again[:-1] == rows[:-1]


def test_a_failed_turn_is_not_shown_to_the_turns_after_it(paths, job):
    def script(request):
        result = scripted_result(request)
        failing = request.messages[0].content.endswith("\nText: How many?")
        return replace(result, text="Non non non non non") if failing else result

    report, _, asked = run(paths, job, script)
    assert report.account.problems == {"repetition loop": 40}
    after = [prompt for prompt in asked if prompt.endswith("\nText: Two.")]
    assert len(after) == 40
    assert all("User: How many?\nText: Two." in prompt for prompt in after)
