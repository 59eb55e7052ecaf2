"""The `openai` engine: any server that speaks OpenAI's chat completions, `vllm serve` among them.

The SDK retries what may pass (429, 5xx, timeouts, lost connections) with growing, jittered waits
and honours Retry-After. On top of that a request is given up only while others are answered: an
outage is no row's fault. One that outlasts `stall_timeout_s` ends the run, with nothing lost.

The server alone knows what weights stand behind a name. Where they change and the name does not,
`server.version` (any text) says so: it is part of the signature, so the memory keeps them apart.
"""

import asyncio
import os
import random
import socket
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from itertools import islice
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from palo.engines.stream import (
    Engine,
    LoopThread,
    Message,
    Request,
    Result,
    Sampling,
    Signature,
    refused,
)
from palo.errors import UserError
from palo.settings import ServerSettings

API_KEY = "OPENAI_API_KEY"
_ROUNDS = 3  # of the SDK's retries, while others are answered
_PAUSE_S = 8.0  # between rounds; the SDK's longest wait
_TRANSIENT = (408, 409, 429)  # and everything from 500
_OF_THE_RUN = {  # no request would fare better
    401: f"Set {API_KEY} to a key that the server knows",
    403: f"The key in {API_KEY} may not use this model: take another of either",
    404: "Check base_url, which mostly ends in /v1, and the model's name there",
}
_EASY = (Message("user", "Hello."),)  # what a server that answers anything answers
_MOST_HELD = 32
_ERROR_CHARS = 300
_STOP_S = 10.0


class OpenaiEngine(Engine):
    """Connects at the first request. The key comes from the environment and goes nowhere else."""

    kind = "openai"

    def __init__(
        self, model: str, signature: Signature, server: ServerSettings, stall_timeout_s: float
    ) -> None:
        self.signature = signature
        self._model, self._server, self._stall_timeout_s = model, server, stall_timeout_s
        self._key = os.environ.get(API_KEY, "")
        self._client: Any = None
        self._loop: LoopThread | None = None
        self._answers = 0
        self._answered_at = 0.0

    def stream(self, requests: Iterable[Request]) -> Iterator[Result]:
        """Raises UserError where the server refuses everything, or nothing comes any more."""
        source = iter(requests)
        flying: set[Future[Result]] = set()
        held: list[Result] = []
        ended: BaseException | None = None
        sampling = Sampling(1)
        try:
            while True:
                for request in islice(source, self._server.concurrency - len(flying)):
                    sampling = request.sampling
                    flying.add(self._submit(request))
                if not flying:
                    break
                done, flying = wait(flying, return_when=FIRST_COMPLETED)
                for future in done:
                    if error := future.exception():
                        ended = error
                    else:
                        held.append(future.result())
                # refused before anything was answered: these rows' fault, or everything's?
                if held and not self._answers and (not flying or len(held) >= _MOST_HELD):
                    self._try_easy(held, sampling)
                if self._answers:
                    yield from held  # before the end of a run, too: they were paid for
                    held = []
                if ended:
                    raise ended
        finally:
            for future in flying:
                future.cancel()

    def _try_easy(self, refused: list[Result], sampling: Sampling) -> None:
        """Counts as an answer where the server has one for an easy request of the same kind."""
        easy = self._submit(Request("", _EASY, sampling)).result()
        if easy.error:
            raise UserError(
                f"{self._server.base_url} refused the first {len(refused)} requests "
                f"({refused[0].error}) and a simple one ({easy.error}). Nothing of them is kept; "
                "mend the settings of the server and run the same command again."
            )

    def _submit(self, request: Request) -> Future[Result]:
        if self._loop is None:
            from openai import AsyncOpenAI

            _check_host(self._server.base_url)
            self._client = AsyncOpenAI(
                base_url=self._server.base_url,
                api_key=self._key or "none",
                timeout=self._server.timeout_s,
                max_retries=self._server.max_retries,
            )
            self._loop = LoopThread("openai")
        return self._loop.start(self._ask(request))

    async def _ask(self, request: Request) -> Result:
        import openai

        rounds, started_at = 0, time.monotonic()
        while True:
            before, wait_s = self._answers, None
            try:
                result = _result(request, await self._complete(request))
            except openai.APIStatusError as error:
                if error.status_code in _OF_THE_RUN:
                    raise UserError(
                        f"{self._server.base_url} refused the request for model '{self._model}': "
                        f"{self._plain(error)}. {_OF_THE_RUN[error.status_code]}, and run the same "
                        "command again."
                    ) from None
                if error.status_code < 500 and error.status_code not in _TRANSIENT:
                    return refused(request, self._plain(error))
                reason = self._plain(error)
                with suppress(ValueError):  # asked for, where the SDK found it too long to wait
                    wait_s = float(error.response.headers.get("retry-after", ""))
            except (openai.APIError, ValueError) as error:  # connection, timeout, broken JSON
                reason = self._plain(error)
            else:
                self._answers += 1
                self._answered_at = time.monotonic()
                return result
            rounds += self._answers > before  # the server answers others meanwhile
            if rounds >= _ROUNDS:
                return refused(request, f"no answer in {rounds} rounds of retries: {reason}")
            if wait_s is None:
                wait_s = _PAUSE_S * (1 - random.random() / 2)
            # from its own start at least: between streams nobody asks, so nobody is answered
            silent_since = max(started_at, self._answered_at)
            if time.monotonic() + wait_s - silent_since > self._stall_timeout_s:
                raise UserError(
                    f"{self._server.base_url} gave no answer for {self._stall_timeout_s:g} s "
                    f"({reason}). What was answered is kept. Once the server answers, run the same "
                    "command again."
                )
            await asyncio.sleep(wait_s)

    async def _complete(self, request: Request) -> Any:
        wanted = request.sampling
        more: dict[str, Any] = {"logprobs": True} if self._server.logprobs else {}
        if wanted.temperature or self._server.seed:
            more["seed"] = wanted.seed
        return await self._client.chat.completions.create(
            model=self._model,
            messages=[*map(vars, request.messages)],
            max_tokens=wanted.max_tokens,
            temperature=wanted.temperature,
            **more,
        )

    def _plain(self, error: Exception) -> str:
        """What a person needs of the error; servers may repeat the key in theirs."""
        text = " ".join(str(error).split()) or type(error).__name__
        if error.__cause__ is not None and str(error.__cause__):
            text += f" ({error.__cause__})"
        if self._key:
            text = text.replace(self._key, "***")
        return text[:_ERROR_CHARS]

    def __exit__(self, *unused: object) -> None:
        if (loop := self._loop) is not None:
            loop.close(lambda: loop.start(self._client.close()).result(_STOP_S))
            self._client = self._loop = None


def _check_host(base_url: str) -> None:
    """Raises UserError for a host without an address; a proxy, where one is set, looks it up."""
    host = urlsplit(base_url).hostname
    if getproxies():
        return
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        raise UserError(
            f"The server's name '{host}' in base_url {base_url} has no address here "
            f"({error.strerror}). Check it, or the network, and run the same command again."
        ) from None


def _result(request: Request, answer: Any) -> Result:
    """Raises ValueError for an answer without a choice."""
    if not getattr(answer, "choices", None):
        raise ValueError("the answer has no choices")
    choice, usage = answer.choices[0], answer.usage
    tokens = choice.logprobs.content if choice.logprobs else None
    logprob = sum(token.logprob for token in tokens) / len(tokens) if tokens else None
    return Result(
        request.tag,
        choice.message.content or "",
        choice.finish_reason or "stop",
        logprob,
        usage.prompt_tokens if usage else 0,
        usage.completion_tokens if usage else 0,
        answered_by=getattr(answer, "model", None) or "",
    )
