from palo.engines.open import open_engine
from palo.engines.stream import Message, Request, Sampling, Weights
from palo.settings import EngineKind


def answers(settings, requests):
    with open_engine(EngineKind.TRANSFORMERS, Weights(settings.model), settings) as engine:
        return {result.tag: result for result in engine.stream(requests)}


def test_greedy_text_in_a_batch_equals_the_text_alone(engine_settings, make_requests):
    requests = make_requests(13)
    together = answers(engine_settings, requests)
    alone = answers(engine_settings.model_copy(update={"batch_size": 1}), requests)
    assert list(map(len, (together, alone))) == [13, 13]
    assert {tag: one.text for tag, one in together.items()} == {
        tag: one.text for tag, one in alone.items()
    }
    assert len({one.text for one in together.values()}) > 5
    assert {one.finish_reason for one in together.values()} == {"stop", "length"}


def test_greedy_text_equals_what_transformers_generates(engine_settings, model_dir, make_requests):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(model_dir)
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    requests = make_requests(6)
    ours = answers(engine_settings, requests)
    for request in requests:
        prompt = f"<s>{request.messages[0].content}\n"
        encoded = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
        output = model.generate(**encoded, max_new_tokens=24, do_sample=False)[0]
        answer = output[encoded["input_ids"].shape[1] :]
        found = ours[request.tag]
        assert found.output_tokens == len(answer)
        said = answer[:-1] if found.finish_reason == "stop" else answer
        assert found.text == tokenizer.decode(said, skip_special_tokens=True)


def test_mean_logprob_is_that_of_the_models_own_distribution(engine_settings, make_requests):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    requests = make_requests(4)
    found = answers(engine_settings, requests)
    model = AutoModelForCausalLM.from_pretrained(engine_settings.model)
    tokenizer = AutoTokenizer.from_pretrained(engine_settings.model)
    for request in requests:
        prompt = f"<s>{request.messages[0].content}\n"
        encoded = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")
        start = encoded["input_ids"].shape[1]
        ids = model.generate(**encoded, max_new_tokens=24, do_sample=False)
        with torch.no_grad():
            logits = model(ids).logits[0, start - 1 : -1]
        chosen = logits.log_softmax(-1).gather(1, ids[0, start:, None])
        assert abs(found[request.tag].mean_logprob - chosen.mean().item()) < 1e-3


def test_sampled_text_depends_on_the_seed_and_not_on_the_neighbours(engine_settings, make_requests):
    requests = make_requests(9, temperature=1.5)
    first = {tag: one.text for tag, one in answers(engine_settings, requests).items()}
    backwards = {tag: one.text for tag, one in answers(engine_settings, requests[::-1]).items()}
    assert backwards == first
    other = [
        Request(one.tag, one.messages, Sampling(24, 1.5, seed=one.sampling.seed + 100))
        for one in requests
    ]
    assert {tag: one.text for tag, one in answers(engine_settings, other).items()} != first


def test_a_prompt_over_the_context_is_that_rows_failure(engine_settings, make_requests):
    long = Request("long", (Message("user", "red " * 300),), Sampling(24))
    found = answers(engine_settings, [*make_requests(3), long])
    assert found["long"].finish_reason == "error"
    assert "the model takes 128" in found["long"].error
    assert sum(one.finish_reason != "error" for one in found.values()) == 3


def test_an_answer_that_reaches_its_limit_says_so(engine_settings, make_requests):
    whole = answers(engine_settings, make_requests(8, max_tokens=24))
    cut = answers(engine_settings, make_requests(8, max_tokens=3))
    for tag, one in whole.items():
        assert cut[tag].output_tokens == min(3, one.output_tokens)
        assert (cut[tag].finish_reason == "length") == (one.output_tokens > 3)


def test_requests_are_pulled_a_window_at_a_time(engine_settings, make_requests):
    pulled = []

    def watched():
        for request in make_requests(100):
            pulled.append(request.tag)
            yield request

    with open_engine(
        EngineKind.TRANSFORMERS, Weights(engine_settings.model), engine_settings
    ) as engine:
        next(iter(engine.stream(watched())))
    assert len(pulled) == 8 * engine_settings.batch_size
