"""An engine whose text is a function of the prompt: for tests of everything around an engine."""

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator

from palo.engines.stream import Engine, Request, Result, Signature

_PLACEHOLDER = re.compile(r"<x\d+>")
Script = Callable[[Request], Result]


def scripted_result(request: Request) -> Result:
    """Two numbers from the digest of prompt and sampling, around the text's placeholders; a
    question stays one."""
    prompt = request.messages[-1].content
    sampling = request.sampling
    seen = f"{prompt}\0{sampling.temperature}\0{sampling.seed}"
    digest = hashlib.blake2b(seen.encode("utf-8"), digest_size=8).digest()
    first, second = int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:], "big")
    text_part = prompt.split("\nText: ")[-1]
    words = [str(first), *_PLACEHOLDER.findall(text_part), str(second)]
    words += ["?"] * text_part.rstrip().endswith("?")
    logprob = -first / 2**32
    return Result(request.tag, " ".join(words), "stop", logprob, len(prompt.split()), len(words))


class ScriptedEngine(Engine):
    """Answers in order, `delay_s` after each request; `script` replaces what it says."""

    kind = "scripted"

    def __init__(self, delay_s: float = 0.0, script: Script = scripted_result) -> None:
        self.signature = Signature("scripted", "1", "none")
        self.sent = 0
        self._delay_s = delay_s
        self._script = script

    def stream(self, requests: Iterable[Request]) -> Iterator[Result]:
        for request in requests:
            self.sent += 1
            if self._delay_s:
                time.sleep(self._delay_s)
            yield self._script(request)
