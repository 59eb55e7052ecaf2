"""Prompts to a language model behind any engine, answers back in order."""

import atexit
from collections.abc import Sequence
from contextlib import ExitStack

from palo.engines.open import open_engine, signature
from palo.engines.stream import Engine, Message, Request, Result, Sampling, Weights
from palo.settings import AskedModel, EngineKind


class Asked:
    """Opens the engine at the first question and keeps it until the process ends.

    `engine` stands in for the one that the settings name; its owner closes it.
    """

    def __init__(self, settings: AskedModel, engine: Engine | None = None) -> None:
        self._settings, self._engine = settings, engine

    def ask(self, prompts: Sequence[str]) -> list[Result]:
        """One result a prompt, in order; a failure is a result with an `error`.

        Raises UserError where the engine as a whole cannot be used, MissingResource where it
        cannot be opened.
        """
        sampling = Sampling(self._settings.max_tokens)
        requests = (
            Request(str(at), (Message("user", prompt),), sampling)
            for at, prompt in enumerate(prompts)
        )
        answers = {one.tag: one for one in self._opened().stream(requests)}
        lost = "the engine gave no answer"
        return [
            answers.get(str(at)) or Result(str(at), "", "error", error=lost)
            for at in range(len(prompts))
        ]

    def _opened(self) -> Engine:
        if self._engine is None:
            settings = self._settings.for_engine()
            weights = Weights(settings.model, settings.revision)
            stack = ExitStack()
            self._engine = stack.enter_context(open_engine(settings.engine, weights, settings))
            atexit.register(stack.close)
        return self._engine


def failure(result: Result) -> str | None:
    """Why an answer is none, or None for one that is whole."""
    if result.error:
        return result.error
    if result.finish_reason == "length":
        return "the answer was cut off at max_tokens"
    return None if result.text.strip() else "the answer is empty"


def asked_version(settings: AskedModel) -> str:
    """What decides the answers: the weights where they are here, else the name on the server."""
    if settings.engine.loads_weights:
        return str(signature(Weights(settings.model, settings.revision), settings.for_engine()))
    if settings.engine is EngineKind.OPENAI:
        server = settings.server
        name = server.model or settings.model
        return f"{server.base_url}|{name}|{server.version}|{settings.max_tokens}"
    return str(settings.engine)
