from palo.engines.stream import Message, Request, Sampling, ScriptedEngine, scripted_result


def request(text, tag="t", **sampling):
    return Request(tag, (Message("user", f"Do it.\nText: {text}"),), Sampling(10, **sampling))


def test_text_is_a_function_of_prompt_and_sampling():
    assert scripted_result(request("a", "t1")).text == scripted_result(request("a", "t2")).text
    assert scripted_result(request("a")).text != scripted_result(request("b")).text
    assert scripted_result(request("a")).text != scripted_result(request("a", temperature=1)).text


def test_placeholders_of_the_text_are_kept_once_each():
    text = scripted_result(request("x <x1> y <x2>")).text
    assert text.split()[1:-1] == ["<x1>", "<x2>"]


def test_every_request_gets_one_result_in_order_and_is_counted():
    with ScriptedEngine() as engine:
        results = list(engine.stream(request(str(at), str(at)) for at in range(5)))
    assert [result.tag for result in results] == list("01234")
    assert engine.sent == 5
