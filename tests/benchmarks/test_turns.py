import pytest

from benchmarks.turns import in_turns


def test_contenders_go_on_a_step_each():
    seen = []

    def contender(name):
        def run(clock):
            for step in range(3):
                seen.append((name, step))
                clock.on_step_end(None, None, None)
            return {"steps": len(clock.steps)}

        return run

    told = in_turns({name: contender(name) for name in ("a", "b")})
    assert seen == [(name, step) for step in range(3) for name in ("a", "b")]
    assert told == {"a": {"steps": 3}, "b": {"steps": 3}}


def test_one_that_fails_ends_the_round_and_keeps_nobody_waiting():
    def failing(clock):
        raise ValueError("no")

    def sound(clock):
        clock.on_step_end(None, None, None)
        return {}

    with pytest.raises(ValueError, match="no"):
        in_turns({"a": sound, "b": failing, "c": sound})
