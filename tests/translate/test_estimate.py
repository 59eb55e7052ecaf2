"""An estimate holds the truth, narrows with the sample, and wastes nothing."""

import random
from contextlib import contextmanager
from dataclasses import replace

import pytest

from palo.engines.stream import Result, ScriptedEngine, scripted_result
from palo.errors import UserError
from palo.memory import TranslationMemory
from palo.settings import Context, EngineKind, RaySettings
from palo.shards import shard_paths
from translate.estimate import (
    Estimate,
    Unit,
    draw,
    estimate_language,
    full_load,
    quotient,
    ratio_total,
    speed,
)
from translate.run import translate_language


def population(seed, num=3000):
    """Long-tailed lengths, and tokens that follow them with noise and now and then a retry."""
    rng = random.Random(seed)
    units, tokens = [], {}
    for number in range(num):
        size = max(5, round(rng.lognormvariate(4.0, 1.0)))
        unit = Unit(number.to_bytes(16, "big"), size, size + 300)
        units.append(unit)
        tokens[unit.key] = 3 + size * rng.uniform(0.3, 0.7) * (2 if rng.random() < 0.03 else 1)
    return units, tokens


def estimated(units, tokens, num, seed):
    strata = draw(units, num, seed)
    sizes = {unit.key: float(unit.size) for unit in units}
    return ratio_total(strata, sizes, tokens, sum(sizes.values()))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    units, tokens = population(1)
    truth = sum(tokens.values())
    found = [estimated(units, tokens, 200, seed) for seed in range(200)]
    held = sum(abs(truth - one.value) <= one.half for one in found)
    assert 180 <= held <= 198  # 95 % of 200 is 190


def test_the_interval_narrows_with_the_sample_and_closes_with_all():
    units, tokens = population(2)
    shares = [estimated(units, tokens, num, 7).share for num in (50, 200, 800, 3000)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 2 * shares[2]
    whole = estimated(units, tokens, 3000, 7)
    assert (whole.value, whole.half) == (pytest.approx(sum(tokens.values())), 0)


def test_the_same_segments_are_drawn_whatever_their_order():
    units, _ = population(3)
    drawn = {unit.key for one in draw(units, 100, 7) for unit in one.drawn}
    again = {unit.key for one in draw(units[::-1], 100, 7) for unit in one.drawn}
    other = {unit.key for one in draw(units, 100, 8) for unit in one.drawn}
    assert len(drawn) == 100
    assert drawn == again != other


def test_speed_of_even_answers_is_exact_and_of_uneven_ones_uncertain():
    assert speed([(n / 2, 10) for n in range(41)]) == Estimate(20.0, 0.0)
    uneven = speed([(n / 2, 10 if n % 8 < 4 else 30) for n in range(41)])
    assert abs(uneven.value - 40.0) < uneven.half
    assert speed([(1.0, 5)]) is None
    assert quotient(Estimate(100.0, 30.0), Estimate(10.0, 4.0)) == Estimate(10.0, 5.0)


def by_length(request):
    text = request.messages[-1].content.split("\nText: ")[-1]
    noise = random.Random(request.tag).uniform(0.8, 1.2)
    return replace(scripted_result(request), output_tokens=round(10 * len(text) * noise))


def test_the_sample_is_in_the_memory_and_the_run_sends_exactly_the_rest(paths, make_job):
    job = make_job()
    ticks = iter(range(10_000))
    found = estimate_language(job, paths, ScriptedEngine(script=by_length), 20, lambda: next(ticks))
    stock = found.inventory
    assert (stock.turns, stock.unique, stock.there, stock.copied) == (160, 49, 0, 0)
    assert (found.sampled, found.left) == (20, 29)
    assert not shard_paths(paths.translated("fr"))
    with TranslationMemory(paths.memory("fr")) as memory:
        assert memory.count() == 20
    report = translate_language(job, paths, ScriptedEngine(script=by_length))
    assert report.fill.sent == 29
    left = found.output_tokens
    assert abs(report.fill.output_tokens - left.value) <= left.half
    assert found.prompt_tokens.value == pytest.approx(report.fill.prompt_tokens, rel=0.01)
    assert found.seconds.value == pytest.approx(
        found.output_tokens.value / found.tokens_per_s.value
    )


def test_a_dialogue_is_not_foretold(paths, make_job):
    job = make_job(context=Context.DIALOGUE)
    with pytest.raises(UserError, match="context: source"):
        estimate_language(job, paths, ScriptedEngine(), 20, lambda: 0.0)


def test_a_finished_language_has_nothing_left(paths, make_job):
    job = make_job()
    translate_language(job, paths, ScriptedEngine())
    found = estimate_language(job, paths, ScriptedEngine(), 20, lambda: 0.0)
    assert (found.inventory.there, found.sampled, found.left) == (49, 0, 0)
    assert (found.output_tokens.value, found.seconds) == (0.0, Estimate(0.0, 0.0))


def test_the_command_prints_counts_and_costs(project, palo):
    arguments = ("--engine", "scripted", "--estimate", "--sample", "20")
    output = palo("translate", "--lang", "fr,ur", *arguments)
    assert "fr: 20 segments translated into the memory as a sample" in output
    assert "machine-hours" in output
    assert "Tokens for one of English (estimated: no tokenizer here): fr 1.46, ur 4.14" in output
    assert "An answer may have 2 times as many, 128 at least." in output
    rows = [line.split() for line in output.split("\n")]
    assert ["ur", "160", "0", "0", "49", "0", "20", "29"] in rows
    assert not shard_paths(project.translated("fr"))
    assert "29 segments sent" in palo("translate", "--lang", "fr", "--engine", "scripted")


@pytest.mark.parametrize(("wanted", "drawn"), [(2048, 49), (20, 20)])
def test_progress_is_of_the_segments_that_there_are_and_counts_each_once(
    paths, make_job, wanted, drawn
):
    told = []

    @contextmanager
    def bar(total):
        told.append(total)
        yield lambda advance=1, text="": told.append(advance)

    def empty(request):
        return Result(request.tag, "", "stop")  # and so asked for three times

    estimate_language(make_job(), paths, ScriptedEngine(script=empty), wanted, lambda: 0.0, bar)
    assert told == [drawn, *[1] * drawn]


@pytest.mark.parametrize(
    ("kind", "gpu", "expected"),
    [
        (EngineKind.VLLM, True, (8, "GPU-hours")),
        (EngineKind.TRANSFORMERS, True, (1, "GPU-hours")),
        (EngineKind.VLLM, False, (1, "machine-hours")),
        (EngineKind.OPENAI, True, (1, "server-hours")),
        (EngineKind.RAY, False, (6, "GPU-hours")),
    ],
)
def test_hours_are_of_what_the_engine_keeps_busy(settings, monkeypatch, kind, gpu, expected):
    monkeypatch.setattr("translate.estimate.has_gpu", lambda: gpu)
    more = {"tensor_parallel_size": 2, "data_parallel_size": 4, "ray": RaySettings(workers=3)}
    assert full_load(settings.model_copy(update=more), kind)[1:] == expected


def test_a_ray_of_unknown_size_is_counted_as_one_cluster(settings):
    assert full_load(settings, EngineKind.RAY)[1:] == (1, "cluster-hours")
