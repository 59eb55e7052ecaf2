"""A real vLLM engine with a tiny model: equal text, failures as values, no process left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from palo.engines.open import engines_for, open_engine, signature
from palo.engines.stream import Message, Request, Sampling, Weights
from palo.engines.vllm import VllmEngine
from palo.settings import EngineKind, TranslatorSettings

pytest.importorskip("vllm", reason="vLLM is not installed")
pytestmark = [pytest.mark.vllm, pytest.mark.slow]


@pytest.fixture(scope="module")
def settings(model_dir, tmp_path_factory):
    return TranslatorSettings(
        model=str(model_dir),
        finetuned_dir=tmp_path_factory.mktemp("tuned"),
        max_tokens=24,
        max_model_tokens=128,
        max_num_seqs=8,
        max_num_batched_tokens=256,  # fewer than eight long prompts have
        stall_timeout_s=120,
    )


@pytest.fixture(scope="module")
def engine(settings):
    """Its first start compiles the model, as a run's does."""
    with open_engine(EngineKind.VLLM, Weights(settings.model), settings) as opened:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("VLLM_CPU_CI_ENV", "VLLM_ENABLE_V1_MULTIPROCESSING"):
                patch.delenv(name)
            opened._start()
        yield opened


def by_tag(engine, requests):
    return {result.tag: result for result in engine.stream(requests)}


def engine_processes():
    return _children("EngineCore")


def watchers():
    return _children("palo.engines.reaper")


def _children(name):
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE and name in child.name() + _title(child)
    ]


def _title(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_seeded_prompts_that_fill_more_than_a_step_are_answered(engine, make_requests):
    """Read in parts, as vLLM would, they kill it: a CPU's generator can't be turned back."""
    long = " ".join(["red star"] * 36)
    requests = [
        replace(request, messages=(Message("user", f"{request.messages[0].content} {long}"),))
        for request in make_requests(24, temperature=0.7)
    ]
    results = by_tag(engine, requests)
    assert [result.error for result in results.values() if result.error] == []
    assert all(result.prompt_tokens > 70 for result in results.values())
    # an engine that dies is started again, and once more for each request that killed it
    assert len(watchers()) == len(engine_processes()) == 1


def test_greedy_text_equals_that_of_the_transformers_engine(engine, settings, make_requests):
    requests = make_requests(40)
    ours = by_tag(engine, requests)
    with open_engine(EngineKind.TRANSFORMERS, Weights(settings.model), settings) as other:
        theirs = by_tag(other, requests)
    assert ours.keys() == theirs.keys()
    for tag, one in ours.items():
        # half a character at the end is dropped by one and shown as U+FFFD by the other
        assert one.text.rstrip("\ufffd") == theirs[tag].text.rstrip("\ufffd")
        assert one.finish_reason == theirs[tag].finish_reason
        assert one.output_tokens == theirs[tag].output_tokens
        assert abs(one.mean_logprob - theirs[tag].mean_logprob) < 1e-2


def test_more_is_in_flight_than_runs_at_once_but_never_without_bound(engine, make_requests):
    pulled = []

    def watched():
        for request in make_requests(60):
            pulled.append(request.tag)
            yield request

    stream = engine.stream(watched())
    next(stream)
    assert len(pulled) == int(8 * 1.75)
    stream.close()
    assert len(by_tag(engine, make_requests(5))) == 5  # the engine lives on after a stop


def test_a_prompt_over_the_context_is_that_rows_failure(engine, make_requests):
    long = Request("long", (Message("user", "red " * 300),), Sampling(24))
    found = by_tag(engine, [*make_requests(3), long])
    assert "the model takes 128" in found["long"].error
    assert sum(not one.error for one in found.values()) == 3


def test_sampled_answers_differ_from_greedy_ones(engine, make_requests):
    greedy = {tag: one.text for tag, one in by_tag(engine, make_requests(6)).items()}
    # a trained tiny model is sure of itself: not every sampled answer is another one
    sampled = by_tag(engine, make_requests(6, temperature=1.5))
    assert sum(one.text != greedy[tag] for tag, one in sampled.items()) >= 2


def test_engine_that_is_killed_is_started_again_and_no_row_is_lost(engine, make_requests):
    expected = {tag: one.text for tag, one in by_tag(engine, make_requests(20)).items()}
    found = {}
    for count, result in enumerate(engine.stream(make_requests(20))):
        if count == 3:
            for process in engine_processes():
                process.kill()
        assert result.tag not in found
        found[result.tag] = result.text
    assert found == expected


def test_two_ranks_share_the_requests_and_the_death_of_one_loses_no_row(
    engine, settings, make_requests
):
    expected = {tag: one.text for tag, one in by_tag(engine, make_requests(60)).items()}
    others, others_watchers = engine_processes(), watchers()
    found = {}
    twice = settings.model_copy(update={"data_parallel_size": 2})
    with open_engine(EngineKind.VLLM, Weights(settings.model), twice) as parallel:
        for count, result in enumerate(parallel.stream(make_requests(60))):
            if count == 3:
                ranks = [one for one in engine_processes() if "EngineCore_DP" in _title(one)]
                assert len(ranks) == 2
                ranks[1].kill()
            assert result.tag not in found
            found[result.tag] = result.text
        ending = set(watchers()) - set(others_watchers)
    assert found == expected
    assert len(ending) == 1
    psutil.wait_procs(ending, timeout=30)
    assert engine_processes() == others  # an engine that closes takes no other one with it


def test_a_killed_run_leaves_no_engine_process_behind(settings, tmp_path):
    program = tmp_path / "run.py"
    program.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from palo.engines.open import open_engine\n"
        "from palo.engines.stream import Weights\n"
        "from palo.engines.stream import Message, Request, Sampling\n"
        "from palo.settings import EngineKind, TranslatorSettings\n"
        "if __name__ == '__main__':\n"
        "    settings = TranslatorSettings(model=sys.argv[1], finetuned_dir=Path('.'),\n"
        "        max_tokens=24, max_model_tokens=128, max_num_seqs=8)\n"
        "    engine = open_engine(EngineKind.VLLM, Weights(sys.argv[1]), settings)\n"
        "    request = Request('a', (Message('user', 'red'),), Sampling(24))\n"
        "    for _ in engine.stream([request] * 1):\n"
        "        print('up', flush=True)\n"
        "        sys.stdin.read()\n"
    )
    repo = Path(__file__).resolve().parents[3]
    run = subprocess.Popen(
        [sys.executable, str(program), settings.model],
        env={**os.environ, "PYTHONPATH": str(repo)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in run.stdout:
        if line == "up\n":
            break
    started = psutil.Process(run.pid).children(recursive=True)
    assert any("EngineCore" in _title(child) for child in started)
    run.send_signal(signal.SIGKILL)
    run.wait()
    _, alive = psutil.wait_procs(started, timeout=20)
    assert alive == []


@pytest.fixture(scope="module")
def adapters(settings, tmp_path_factory):
    """Two, of ranks that vLLM makes more room for."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    dirs = []
    for seed, rank in ((5, 4), (6, 48)):
        torch.manual_seed(seed)
        base = AutoModelForCausalLM.from_pretrained(settings.model)
        wanted = LoraConfig(
            r=rank, lora_alpha=2 * rank, target_modules="all-linear", init_lora_weights=False
        )
        dirs.append(tmp_path_factory.mktemp("adapter"))
        get_peft_model(base, wanted).save_pretrained(dirs[-1])
    return [Weights(settings.model, None, folder) for folder in dirs]


def texts_of(engine, requests):
    results = by_tag(engine, requests)
    return [results[request.tag].text.rstrip("\ufffd") for request in requests]


def test_two_adapters_share_one_start_and_each_says_what_it_says_alone(
    settings, adapters, make_requests, monkeypatch
):
    starts = []
    start = VllmEngine._open
    monkeypatch.setattr(VllmEngine, "_open", lambda engine: starts.append(engine) or start(engine))
    plain, requests = Weights(settings.model), make_requests(12)
    wanted = [adapters[0], plain, adapters[1], adapters[0]]
    shared = []
    for engine, weights in zip(engines_for(EngineKind.VLLM, wanted, settings), wanted, strict=True):
        assert engine.signature == signature(weights, settings)
        shared.append(texts_of(engine, requests))
    assert len(starts) == 1
    apart = []
    for kind, weights in (
        (EngineKind.TRANSFORMERS, adapters[0]),
        (EngineKind.TRANSFORMERS, plain),
        (EngineKind.VLLM, adapters[1]),
        (EngineKind.TRANSFORMERS, adapters[1]),
    ):
        with open_engine(kind, weights, settings) as opened:
            apart.append(texts_of(opened, requests))
    assert len(starts) == 2
    assert shared == [*apart[:3], apart[0]]
    assert apart[2] == apart[3]
    assert len({tuple(texts) for texts in shared}) == 3


def test_vllm_gets_what_the_settings_say(settings, adapters, monkeypatch):
    from vllm.usage.usage_lib import UsageContext
    from vllm.v1.engine.async_llm import AsyncLLM

    given = []
    monkeypatch.setattr(
        AsyncLLM,
        "from_engine_args",
        lambda arguments, usage_context: given.append((arguments, usage_context)),
    )
    told = {
        "quantization": "fp8",
        "kv_cache_dtype": "fp8",
        "max_num_batched_tokens": 4096,
        "data_parallel_size": 2,
    }
    changed = settings.model_copy(update=told)
    weights = Weights(settings.model)
    dirs = [each.adapter_dir for each in adapters]
    asyncio.run(open_engine(EngineKind.VLLM, weights, changed, dirs)._open())
    [(arguments, usage)] = given
    assert {name: getattr(arguments, name) for name in told} == told
    assert usage is UsageContext.LLM_CLASS  # else a step has 2,048 tokens at most
    assert arguments.enable_lora
    assert arguments.skip_tokenizer_init  # a copy of it takes seconds at 128,000 pieces
    assert (arguments.max_loras, arguments.max_cpu_loras, arguments.max_lora_rank) == (1, 2, 64)
    asyncio.run(open_engine(EngineKind.VLLM, weights, settings)._open())
    plain = given[1][0]
    assert (plain.quantization, plain.kv_cache_dtype, plain.enable_lora) == (None, "auto", False)
    assert plain.max_num_batched_tokens == 256
