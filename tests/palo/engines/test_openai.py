"""The `openai` engine against a local server that fails as it is told."""

import time

import pytest
from pydantic import ValidationError

from palo.engines.open import missing, open_engine
from palo.engines.stream import Message, Request, Sampling, Weights
from palo.errors import UserError
from palo.settings import EngineKind, ServerSettings, TranslatorSettings
from tests.faulty_server import Fault, FaultyServer

KEY = "sk-of-the-test"


def requests(num):
    return [
        Request(f"t{n}", (Message("user", f"text {n}"),), Sampling(max_tokens=16))
        for n in range(num)
    ]


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Runs requests against a server with these faults; the server and the results by tag."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def ask(pick, num=8, stall_timeout_s=30.0, retry_after=None, delay_s=0.0, **server):
        faulty = FaultyServer(pick, lambda asked: f"said to {asked}")
        faulty.retry_after = retry_after or faulty.retry_after
        faulty.delay_s = delay_s
        with faulty.running():
            settings = TranslatorSettings(
                model="palo/served",
                finetuned_dir=tmp_path,
                stall_timeout_s=stall_timeout_s,
                server=ServerSettings(base_url=faulty.url, **{"concurrency": 4, **server}),
            )
            with open_engine(EngineKind.OPENAI, Weights(settings.model), settings) as engine:
                results = {one.tag: one for one in engine.stream(requests(num))}
        return faulty, results

    return ask


def always(fault):
    return lambda asked, number: fault


def once(fault, asked_of="text 3"):
    return lambda asked, number: fault if (asked, number) == (asked_of, 0) else Fault.NONE


def test_answers_come_with_their_tokens_logprob_and_the_environments_key(ask):
    faulty, results = ask(always(Fault.NONE), num=40)
    assert [results[f"t{n}"].text for n in range(40)] == [f"said to text {n}" for n in range(40)]
    one = results["t7"]
    assert (one.finish_reason, one.mean_logprob, one.prompt_tokens) == ("stop", -0.5, 7)
    assert set(faulty.seen.values()) == {1}
    assert faulty.keys == {f"Bearer {KEY}"}


def test_no_more_requests_are_under_way_than_allowed(ask):
    faulty, results = ask(always(Fault.NONE), num=60, concurrency=3, delay_s=0.02)
    assert len(results) == 60
    assert 1 < faulty.most_under_way <= 3


@pytest.mark.parametrize(
    "fault", [Fault.BUSY, Fault.BUSY_UNTIL, Fault.BROKEN, Fault.HANG, Fault.RESET]
)
def test_what_may_pass_is_asked_again(ask, fault):
    faulty, results = ask(once(fault), timeout_s=0.5)
    assert faulty.seen == {f"text {n}": 1 + (n == 3) for n in range(8)}
    assert results["t3"].text == "said to text 3"
    assert not any(one.error for one in results.values())


def test_truncated_json_is_asked_again(ask, monkeypatch):
    monkeypatch.setattr("palo.engines.openai._PAUSE_S", 0.1)
    faulty, results = ask(once(Fault.CUT))
    assert faulty.seen["text 3"] == 2
    assert results["t3"].text == "said to text 3"


def test_retry_after_is_honoured(ask):
    faulty, _ = ask(once(Fault.BUSY_UNTIL, "text 0"), num=1, retry_after="1.5")
    first, second = faulty.times
    assert second - first >= 1.5


def test_waits_grow_and_are_not_all_alike(ask):
    def busy(asked, number):
        return Fault.BUSY if asked == "text 0" and number < 3 else Fault.NONE

    faulty, results = ask(busy, num=1)
    waits = [later - sooner for sooner, later in zip(faulty.times, faulty.times[1:], strict=False)]
    assert results["t0"].error == ""
    assert waits[0] < waits[1] < waits[2]
    assert waits[2] / waits[0] > 2


def test_a_refused_request_is_its_rows_failure_and_is_not_asked_again(ask):
    faulty, results = ask(once(Fault.REFUSED))
    assert faulty.seen["text 3"] == 1
    assert "400" in results["t3"].error
    assert KEY not in results["t3"].error, "this server repeats the key in what it says"
    assert sum(bool(one.error) for one in results.values()) == 1


def test_a_request_that_alone_never_gets_an_answer_is_set_aside(ask, monkeypatch):
    monkeypatch.setattr("palo.engines.openai._PAUSE_S", 0.05)

    def broken(asked, number):
        return Fault.BROKEN if asked == "text 0" else Fault.NONE

    _, results = ask(broken, num=100, max_retries=0, concurrency=2, delay_s=0.02)
    assert "no answer in 3 rounds" in results["t0"].error
    assert sum(bool(one.error) for one in results.values()) == 1


def test_an_outage_ends_the_run_and_says_how_to_go_on(ask, monkeypatch):
    monkeypatch.setattr("palo.engines.openai._PAUSE_S", 0.1)
    with pytest.raises(UserError, match=r"gave no answer for 0\.5 s .*run the same command"):
        ask(always(Fault.BROKEN), stall_timeout_s=0.5, max_retries=0)


def test_an_outage_that_passes_costs_no_row(ask, monkeypatch):
    monkeypatch.setattr("palo.engines.openai._PAUSE_S", 0.1)
    start = time.monotonic()

    def pick(asked, number):
        return Fault.BROKEN if time.monotonic() - start < 1.5 else Fault.NONE

    faulty, results = ask(pick, max_retries=0)
    assert not any(one.error for one in results.values())
    assert max(faulty.seen.values()) > 4


def test_a_longer_wait_than_the_run_bears_is_told(ask):
    with pytest.raises(UserError, match="gave no answer for 5 s"):
        ask(always(Fault.BUSY_UNTIL), retry_after="3600", stall_timeout_s=5)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault.NO_KEY, r"401.* Set OPENAI_API_KEY to a key"),
        (Fault.NO_RIGHT, r"403.* The key in OPENAI_API_KEY may not use this model"),
        (Fault.NO_MODEL, r"404.* Check base_url, which mostly ends in /v1, and the model's name"),
    ],
)
def test_what_no_request_survives_ends_the_run_at_once_without_showing_the_key(ask, fault, said):
    with pytest.raises(UserError, match=said) as caught:
        ask(always(fault))
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("num", [1, 3, 500])
def test_a_server_that_refuses_everything_fails_no_row(ask, num):
    with pytest.raises(UserError, match=r"refused the first \d+ requests .*400.* a simple one"):
        ask(always(Fault.REFUSED), num=num)


@pytest.mark.parametrize("num", [1, 3, 100])
def test_rows_that_are_refused_by_a_server_that_answers_others_are_failures(ask, num):
    def pick(asked, number):
        return Fault.REFUSED if asked.startswith("text") else Fault.NONE

    faulty, results = ask(pick, num=num)
    assert sorted(results) == sorted(f"t{n}" for n in range(num))
    assert all("400" in one.error for one in results.values())
    assert faulty.seen.total() == num + 1


def test_a_pause_between_two_streams_is_no_outage(tmp_path, monkeypatch):
    monkeypatch.setattr("palo.engines.openai._PAUSE_S", 0.05)
    faulty = FaultyServer(once(Fault.BROKEN), lambda asked: "said")
    with faulty.running():
        settings = TranslatorSettings(
            model="palo/served",
            finetuned_dir=tmp_path,
            stall_timeout_s=1.0,
            server=ServerSettings(base_url=faulty.url, max_retries=0),
        )
        with open_engine(EngineKind.OPENAI, Weights("palo/served"), settings) as engine:
            assert len(list(engine.stream(requests(1)))) == 1
            time.sleep(1.2)
            assert not any(one.error for one in engine.stream(requests(4)[3:]))
    assert faulty.seen["text 3"] == 2


def test_what_was_answered_is_given_out_before_the_run_ends(ask, tmp_path):
    faulty = FaultyServer(once(Fault.NO_KEY), lambda asked: "said")
    seen = []
    with faulty.running():
        settings = TranslatorSettings(
            model="palo/served",
            finetuned_dir=tmp_path,
            server=ServerSettings(base_url=faulty.url, concurrency=1),
        )
        with (
            open_engine(EngineKind.OPENAI, Weights("palo/served"), settings) as engine,
            pytest.raises(UserError, match="401"),
        ):
            seen.extend(one.tag for one in engine.stream(requests(8)))
    assert seen == ["t0", "t1", "t2"]


@pytest.mark.parametrize("url", ["localhost:8000/v1", "", "http://", "ftp://a/v1", "http://a:x/"])
def test_an_address_that_is_none_is_refused_with_the_settings(url):
    with pytest.raises(ValidationError, match="base_url"):
        ServerSettings(base_url=url)


def test_a_host_without_an_address_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("palo.engines.openai.getproxies", dict)
    settings = TranslatorSettings(
        model="palo/served",
        finetuned_dir=tmp_path,
        server=ServerSettings(base_url="http://no-such-host.invalid/v1"),
    )
    with (
        open_engine(EngineKind.OPENAI, Weights("palo/served"), settings) as engine,
        pytest.raises(UserError, match=r"'no-such-host\.invalid' .* has no address here"),
    ):
        list(engine.stream(requests(2)))


def test_weights_behind_the_same_name_are_told_apart_by_their_version(tmp_path):
    def signed(version):
        server = ServerSettings(version=version)
        settings = TranslatorSettings(model="palo/base", finetuned_dir=tmp_path, server=server)
        return str(open_engine(EngineKind.OPENAI, Weights("palo/base"), settings).signature)

    assert signed("").startswith("palo/base|served|max_attempts=3")
    assert signed("of May").startswith("palo/base|served|of May|max_attempts=3")


def test_nobody_there_is_told(tmp_path):
    settings = TranslatorSettings(
        model="palo/served",
        finetuned_dir=tmp_path,
        stall_timeout_s=0.2,
        server=ServerSettings(base_url="http://127.0.0.1:9/v1", max_retries=0),
    )
    with (
        open_engine(EngineKind.OPENAI, Weights("palo/served"), settings) as engine,
        pytest.raises(UserError, match=r"http://127.0.0.1:9/v1 gave no answer"),
    ):
        list(engine.stream(requests(2)))


def test_it_needs_no_weights_here_and_what_is_served_signs(tmp_path):
    settings = TranslatorSettings(
        model="palo/base", finetuned_dir=tmp_path, server=ServerSettings(model="ur-tuned")
    )
    assert missing(EngineKind.OPENAI, Weights("palo/base")) == []
    engine = open_engine(EngineKind.OPENAI, Weights("palo/base"), settings)
    assert str(engine.signature).startswith("ur-tuned|served|max_attempts=3")
