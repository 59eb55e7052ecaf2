"""What every engine is: a stream. Requests in, results out, unordered, failures as values."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self


@dataclass(frozen=True)
class Message:
    role: str  # "user" or "assistant"; a system role is not assumed
    content: str


@dataclass(frozen=True)
class Sampling:
    """temperature 0 is greedy; `seed` makes a retry reproducible."""

    max_tokens: int
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Request:
    """`tag` comes back with the result as it is; the engine never looks at it."""

    tag: str
    messages: tuple[Message, ...]
    sampling: Sampling


@dataclass(frozen=True)
class Result:
    """`error` is "" or why there is no text (prompt too long, engine died twice, ...)."""

    tag: str
    text: str
    finish_reason: str  # "stop", "length", "error"
    mean_logprob: float | None = None
    prompt_tokens: int = 0
    output_tokens: int = 0
    error: str = ""
    answered_by: str = ""  # the model that a server says it asked: an alias moves


@dataclass(frozen=True)
class Signature:
    """Everything of an engine that decides its text; the engine's kind does not (same weights)."""

    model: str
    weights: str  # revision on a hub, or a digest of the weight files
    dtype: str
    adapter: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [self.model, self.weights, self.dtype, self.adapter]
        parts += [f"{key}={value}" for key, value in sorted(self.extra.items())]
        return "|".join(part for part in parts if part)


class Engine(Protocol):
    """Use as a context manager: leaving it frees the model and ends every process it started."""

    kind: str
    signature: Signature

    def stream(self, requests: Iterable[Request]) -> Iterator[Result]:
        """Pulls requests as it has room for them and yields each one's result exactly once."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
