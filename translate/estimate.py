"""What a run would take, measured: translates a sample of what is missing and extrapolates.

    palo translate --lang ur --estimate

The sample's translations go into the memory like any other, so they are not paid for twice.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from palo.engines.open import has_gpu
from palo.engines.stream import Engine, Request, Result
from palo.errors import UserError
from palo.files import run_lock
from palo.memory import TranslationMemory, VerifiedMemory, english_context
from palo.settings import Context, EngineKind, TranslatorSettings
from palo.shards import read_samples, shard_paths
from translate.extrapolate import Estimate, Stratum, Unit, draw, quotient, ratio_total, speed
from translate.fill import Filler
from translate.job import Job
from translate.progress import Monotonic
from translate.run import Places
from translate.segments import segment

_SEED = 7
_LEAST = 200
_ROUNDS = 8  # of a full engine: its first and last are not full
_LEAST_ANSWERS = 20  # in the stretch of full load, for a speed


@dataclass
class Inventory:
    """What a language has to translate. `units` are the segments that no memory holds."""

    turns: int = 0
    copied: int = 0
    verified: int = 0
    unique: int = 0
    units: list[Unit] = field(default_factory=list)
    shards: dict[bytes, Path] = field(default_factory=dict)

    @property
    def there(self) -> int:
        return self.unique - len(self.units)


@dataclass(frozen=True)
class LanguageEstimate:
    """Of what is left after the sample. `full` says whether the engine ever had its full load."""

    lang: str
    inventory: Inventory
    sampled: int
    start_up_s: float
    prompt_tokens: Estimate
    output_tokens: Estimate
    tokens_per_s: Estimate | None
    full: bool

    @property
    def left(self) -> int:
        return len(self.inventory.units) - self.sampled

    @property
    def seconds(self) -> Estimate | None:
        if not self.left:
            return Estimate(0.0, 0.0)
        return quotient(self.output_tokens, self.tokens_per_s) if self.tokens_per_s else None


class MeteredEngine:
    """Passes an engine's stream on and notes when each answer came and what it took."""

    def __init__(
        self, engine: Engine, monotonic: Monotonic, answered: Callable[[int], None]
    ) -> None:
        self.kind = engine.kind
        self.signature = engine.signature
        self._engine = engine
        self._monotonic = monotonic
        self._answered = answered
        self.asked_s: float | None = None
        self.answers: list[tuple[float, int]] = []
        self.full_until = 0  # answers that had come when the last new segment was asked for
        self.prompt_tokens: dict[bytes, float] = {}
        self.output_tokens: dict[bytes, float] = {}

    def stream(self, requests: Iterable[Request]) -> Iterator[Result]:
        for result in self._engine.stream(self._noted(requests)):
            key = bytes.fromhex(result.tag)
            self.answers.append((self._monotonic(), result.output_tokens))
            self.prompt_tokens[key] += result.prompt_tokens
            self.output_tokens[key] += result.output_tokens
            self._answered(1)
            yield result

    def _noted(self, requests: Iterable[Request]) -> Iterator[Request]:
        for request in requests:
            key = bytes.fromhex(request.tag)
            if self.asked_s is None:
                self.asked_s = self._monotonic()
            if key not in self.output_tokens:
                self.prompt_tokens[key] = self.output_tokens[key] = 0.0
                self.full_until = len(self.answers)
            yield request

    @property
    def start_up_s(self) -> float:
        """From the first request to the first answer: mostly the loading of the model."""
        return (
            self.answers[0][0] - self.asked_s if self.asked_s is not None and self.answers else 0.0
        )

    def speed(self, at_once: int) -> tuple[Estimate | None, bool]:
        """Where the engine was not full for long, of all answers: rather too slow than too fast."""
        full = self.answers[at_once : self.full_until]
        if len(full) >= _LEAST_ANSWERS and (found := speed(full)):
            return found, True
        return speed(self.answers), False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The engine is its opener's to close."""


def estimate_language(
    job: Job,
    places: Places,
    engine: Engine,
    num: int,
    at_once: int,
    clock: Callable[[], str],
    monotonic: Monotonic,
    answered: Callable[[int], None] = lambda number: None,
) -> LanguageEstimate:
    """Translates about `num` missing segments into the memory; writes no shard.

    Raises UserError for dialogues: what a turn's prompt holds is known only once the turn before is
    translated, so no sample stands for the rest.
    """
    if job.settings.context is Context.DIALOGUE:
        raise UserError(
            "--estimate can't foretell `context: dialogue`, where every prompt holds translations. "
            "Estimate with `context: source` and expect up to three times its prompt tokens."
        )
    with (
        run_lock(places.memory_path.parent / job.lang, f"estimate for {job.lang}"),
        TranslationMemory(places.memory_path) as memory,
        VerifiedMemory(places.verified_path) as verified,
    ):
        found = take_stock(job, shard_paths(places.source_dir), memory, verified)
        strata = draw(found.units, num, _SEED)
        keys = {unit.key for stratum in strata for unit in stratum.drawn}
        metered = MeteredEngine(engine, monotonic, answered)
        paths = sorted({found.shards[key] for key in keys})
        Filler(job, memory, verified, clock, only=keys).run(paths, metered)
    rate, full = metered.speed(at_once)
    return LanguageEstimate(
        lang=job.lang,
        inventory=found,
        sampled=len(keys),
        start_up_s=metered.start_up_s,
        prompt_tokens=_left(found, strata, metered.prompt_tokens, lambda unit: unit.prompt_size),
        output_tokens=_left(found, strata, metered.output_tokens, lambda unit: unit.size),
        tokens_per_s=rate,
        full=full,
    )


def take_stock(
    job: Job, sources: Sequence[Path], memory: TranslationMemory, verified: VerifiedMemory
) -> Inventory:
    found = Inventory()
    seen: set[bytes] = set()
    anything_verified = bool(verified.count())
    for path in sources:
        new: dict[bytes, Unit] = {}
        for sample in read_samples(path):
            for index, turn in enumerate(sample.turns):
                found.turns += 1
                context = english_context(sample.turns, index)
                if anything_verified and verified.find(sample.sample_id, index, turn.text, context):
                    found.verified += 1
                    continue
                one = segment(sample.turns, index, job.settings.context)
                if one.copied:
                    found.copied += 1
                elif (key := job.key(one)) not in seen:
                    seen.add(key)
                    asked = job.request(one, key, 0).messages
                    prompt_size = sum(len(message.content) for message in asked)
                    new[key] = Unit(key, len(one.text), prompt_size)
        _take_in(found, new, memory.has(list(new)), path)
    found.unique = len(seen)
    return found


def _take_in(
    found: Inventory, new: dict[bytes, Unit], there: Collection[bytes], path: Path
) -> None:
    for key, unit in new.items():
        if key not in there:
            found.units.append(unit)
            found.shards[key] = path


def _left(
    found: Inventory,
    strata: Sequence[Stratum],
    tokens: dict[bytes, float],
    size: Callable[[Unit], int],
) -> Estimate:
    """The whole as estimated, less what the sample is known to have taken."""
    drawn = [unit for stratum in strata for unit in stratum.drawn]
    sizes: dict[bytes, float] = {unit.key: size(unit) for unit in drawn}
    whole = ratio_total(strata, sizes, tokens, sum(map(size, found.units)))
    paid = sum(tokens[unit.key] for unit in drawn)
    # rounding only: with all of it drawn the two are equal
    return Estimate(max(0.0, whole.value - paid), whole.half)


def at_once(settings: TranslatorSettings, kind: EngineKind) -> int:
    """How many segments the engine works on when it is full."""
    return {
        EngineKind.VLLM: settings.max_num_seqs * settings.data_parallel_size,
        EngineKind.RAY: settings.max_num_seqs * (settings.ray.workers or 1),
        EngineKind.OPENAI: settings.server.concurrency,
        EngineKind.TRANSFORMERS: settings.batch_size,
    }.get(kind, 1)


def default_sample(settings: TranslatorSettings, kind: EngineKind) -> int:
    return max(_LEAST, _ROUNDS * at_once(settings, kind))


def machines(settings: TranslatorSettings, kind: EngineKind) -> tuple[int, str]:
    """How many of what are busy while the engine works; of a Ray without a number of workers
    nothing is known but that it is one cluster."""
    if kind is EngineKind.OPENAI:
        return 1, "server-hours"
    if kind is EngineKind.RAY:
        workers = settings.ray.workers
        if workers is None:
            return 1, "cluster-hours"
        return workers * settings.tensor_parallel_size, "GPU-hours"
    if not (has_gpu() and kind.loads_weights):
        return 1, "machine-hours"
    if kind is EngineKind.VLLM:
        return settings.tensor_parallel_size * settings.data_parallel_size, "GPU-hours"
    return 1, "GPU-hours"
