"""What a run would take, measured: translates a sample of what is missing and extrapolates.

    palo translate --lang ur --estimate

The sample's translations go into the memory like any other, so they are not paid for twice.

Segments are ordered by length and cut into strata, from each of which two are drawn: so the sample
has the mix of the whole, also in its long tail. Within that the total follows the lengths by the
combined ratio estimator: T = X * sum(N_h mean(y_h)) / sum(N_h mean(x_h)), where x is a segment's
characters and y its tokens. Its variance is that of the residuals y - R x within the strata, with
the finite population correction (Cochran, Sampling Techniques, 1977, 6.11). A sample of everything
leaves no uncertainty. Speed is tokens over time in the stretch where the engine had its full load;
its error comes from blocks of that stretch, so that answers that come in bursts are not taken for
independent.
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist, variance
from typing import Self

from rich.table import Table

from palo.console import NOTHING, console, note, progress, table
from palo.engines.open import has_gpu
from palo.engines.stream import Engine, Request, Result
from palo.errors import UserError
from palo.files import run_lock
from palo.memory import TranslationMemory, VerifiedMemory
from palo.paths import DataPaths
from palo.settings import Context, EngineKind, TranslatorSettings
from palo.shards import read_samples, shard_paths
from translate.events import Monotonic, duration
from translate.fill import Filler
from translate.job import TranslationJob

_SEED = 7
_LEAST = 200
_ROUNDS = 8  # of a full engine: its first and last are not full
_LEAST_ANSWERS = 20  # in the stretch of full load, for a speed
_Z = NormalDist().inv_cdf(0.975)
_BLOCKS = 10


@dataclass(frozen=True)
class Estimate:
    """`half` is half the width of the 95 % interval."""

    value: float
    half: float

    @property
    def share(self) -> float:
        """`half` as a share of the value."""
        return self.half / self.value if self.value else 0.0


@dataclass(frozen=True)
class Unit:
    """A segment of a shard to translate; `size` is its characters, `prompt_size` its prompt's."""

    key: bytes
    size: int
    prompt_size: int
    shard: Path = Path()


@dataclass(frozen=True)
class Stratum:
    """`units` segments of like size, of which those in `drawn` are translated."""

    units: int
    drawn: tuple[Unit, ...]

    def expanded(self, values: dict[bytes, float]) -> float:
        """The stratum's total, from the values of the drawn."""
        mean = sum(values[unit.key] for unit in self.drawn) / len(self.drawn)
        return self.units * mean


@dataclass
class Inventory:
    """What a language has to translate. `units` are the segments that no memory holds."""

    turns: int = 0
    copied: int = 0
    verified: int = 0
    unique: int = 0
    units: list[Unit] = field(default_factory=list)

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


class MeteredEngine(Engine):
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
        if self.asked_s is None or not self.answers:
            return 0.0
        return self.answers[0][0] - self.asked_s

    def speed(self, at_once: int) -> tuple[Estimate | None, bool]:
        """Where the engine was not full for long, of all answers: rather too slow than too fast."""
        full = self.answers[at_once : self.full_until]
        if len(full) >= _LEAST_ANSWERS and (rate := speed(full)):
            return rate, True
        return speed(self.answers), False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        """The engine is its opener's to close."""


def estimate_all(
    jobs: Iterable[tuple[TranslationJob, Engine]],
    paths: DataPaths,
    kind: EngineKind,
    num: int | None,
) -> None:
    """Runs the languages and prints the tables."""
    estimates = []
    count, unit = 1, "machine-hours"
    for job, engine in jobs:
        wanted = num or max(_LEAST, _ROUNDS * at_once(job.settings, kind))
        count, unit = machines(job.settings, kind)
        with progress(f"estimate {job.lang}", wanted) as tick:
            estimate = estimate_language(job, paths, engine, wanted, time.monotonic, tick)
        note(
            f"{job.lang}: {estimate.sampled:,} segments translated into the memory as a sample, "
            f"start-up {estimate.start_up_s:.1f} s"
        )
        estimates.append(estimate)
    console.print(stock_table(estimates))
    console.print()
    console.print(cost_table(estimates, count, unit))
    note("± is half of a 95 % interval. Start-up is not in the time.")
    slack = [estimate.lang for estimate in estimates if estimate.left and not estimate.full]
    if slack:
        note(
            f"{', '.join(slack)}: the sample never filled the engine for long, so the time is "
            "rather too long; take more with --sample."
        )


def estimate_language(
    job: TranslationJob,
    paths: DataPaths,
    engine: Engine,
    num: int,
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
        run_lock(paths.memory_dir / job.lang, f"estimate for {job.lang}"),
        TranslationMemory(paths.memory(job.lang)) as memory,
        VerifiedMemory(paths.verified(job.lang)) as verified,
    ):
        stock = take_stock(job, shard_paths(paths.source_dir), memory, verified)
        strata = draw(stock.units, num, _SEED)
        drawn = [unit for stratum in strata for unit in stratum.drawn]
        metered = MeteredEngine(engine, monotonic, answered)
        filler = Filler(job, memory, verified, only={unit.key for unit in drawn})
        filler.run(sorted({unit.shard for unit in drawn}), metered)
    rate, full = metered.speed(at_once(job.settings, EngineKind(engine.kind)))
    return LanguageEstimate(
        lang=job.lang,
        inventory=stock,
        sampled=len(drawn),
        start_up_s=metered.start_up_s,
        prompt_tokens=_left(stock, strata, metered.prompt_tokens, lambda unit: unit.prompt_size),
        output_tokens=_left(stock, strata, metered.output_tokens, lambda unit: unit.size),
        tokens_per_s=rate,
        full=full,
    )


def take_stock(
    job: TranslationJob,
    sources: Sequence[Path],
    memory: TranslationMemory,
    verified: VerifiedMemory,
) -> Inventory:
    stock = Inventory()
    seen: set[bytes] = set()
    for path in sources:
        new: dict[bytes, Unit] = {}
        for sample in read_samples(path):
            words = verified.of_sample(sample.sample_id, sample.turns)
            for index, (cut, key) in enumerate(job.cuts(sample)):
                stock.turns += 1
                if index in words:
                    stock.verified += 1
                elif not key:
                    stock.copied += 1
                elif key not in seen:
                    seen.add(key)
                    asked = job.request(cut, key, 0).messages
                    prompt_size = sum(len(message.content) for message in asked)
                    new[key] = Unit(key, len(cut.text), prompt_size, path)
        for key in memory.has(list(new)):
            del new[key]
        stock.units += new.values()
    stock.unique = len(seen)
    return stock


def _left(
    stock: Inventory,
    strata: Sequence[Stratum],
    tokens: dict[bytes, float],
    size: Callable[[Unit], int],
) -> Estimate:
    """The whole as estimated, less what the sample is known to have taken."""
    drawn = [unit for stratum in strata for unit in stratum.drawn]
    sizes: dict[bytes, float] = {unit.key: size(unit) for unit in drawn}
    whole = ratio_total(strata, sizes, tokens, sum(map(size, stock.units)))
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


def draw(units: Sequence[Unit], num: int, seed: int) -> list[Stratum]:
    """About `num` units, two a stratum; the choice depends on keys and seed, not on the order."""

    def rank(unit: Unit) -> bytes:
        salt = seed.to_bytes(8, "little")
        return hashlib.blake2b(unit.key, digest_size=8, salt=salt).digest()

    ordered = sorted(units, key=lambda unit: (unit.size, rank(unit)))
    if num >= len(ordered):
        return [Stratum(len(ordered), tuple(ordered))] if ordered else []
    strata = max(1, num // 2)
    cuts = [round(len(ordered) * at / strata) for at in range(strata + 1)]
    return [
        Stratum(end - start, tuple(sorted(ordered[start:end], key=rank)[:2]))
        for start, end in pairwise(cuts)
    ]


def ratio_total(
    strata: Sequence[Stratum], xs: dict[bytes, float], ys: dict[bytes, float], total_x: float
) -> Estimate:
    """The total of y over all units, from the drawn ones' x and y and the known total of x."""
    sum_x = sum(stratum.expanded(xs) for stratum in strata)
    ratio = sum(stratum.expanded(ys) for stratum in strata) / sum_x if sum_x else 0.0
    spreads = []
    for stratum in strata:
        drawn = len(stratum.drawn)
        if drawn >= 2:
            left = variance([ys[unit.key] - ratio * xs[unit.key] for unit in stratum.drawn])
            spreads.append((stratum.units * (stratum.units - drawn) * left / drawn, drawn - 1))
    spread = sum(part for part, _ in spreads)
    if not spread:
        return Estimate(ratio * total_x, 0.0)
    # Satterthwaite: a few strata of long segments may bring nearly all of the variance
    degrees = spread**2 / sum(part**2 / freedom for part, freedom in spreads)
    return Estimate(ratio * total_x, _student(degrees) * math.sqrt(spread))


def speed(answers: Sequence[tuple[float, int]]) -> Estimate | None:
    """Tokens a second from (time, tokens) of answers in order; the first only starts the clock.

    None where they are too few or came at one moment.
    """
    blocks = min(_BLOCKS, len(answers) - 1)
    if blocks < 2:
        return None
    cuts = [round((len(answers) - 1) * at / blocks) for at in range(blocks + 1)]
    spans = [answers[end][0] - answers[start][0] for start, end in pairwise(cuts)]
    tokens = [
        sum(number for _, number in answers[start + 1 : end + 1]) for start, end in pairwise(cuts)
    ]
    if sum(spans) <= 0 or not sum(tokens):
        return None
    rate = sum(tokens) / sum(spans)
    residuals = [number - rate * span for number, span in zip(tokens, spans, strict=True)]
    error = math.sqrt(variance(residuals) * blocks) / sum(spans)
    return Estimate(rate, _student(blocks - 1) * error)


def _student(degrees: float) -> float:
    """The 97.5 % point of Student's t (Abramowitz and Stegun, 26.7.5, two terms)."""
    second = (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / 96
    return _Z + (_Z**3 + _Z) / (4 * degrees) + second / degrees**2


def quotient(above: Estimate, below: Estimate) -> Estimate:
    """By the delta method, the two taken as independent."""
    value = above.value / below.value
    return Estimate(value, value * math.hypot(above.share, below.share))


def together(parts: Sequence[Estimate]) -> Estimate:
    """The sum of independent estimates."""
    return Estimate(sum(part.value for part in parts), math.hypot(*(part.half for part in parts)))


def stock_table(estimates: Sequence[LanguageEstimate]) -> Table:
    """What there is to translate; the sample is among what is there already now."""
    rows = []
    for row in estimates:
        stock = row.inventory
        numbers = (stock.turns, stock.copied, stock.verified, stock.unique, stock.there)
        rows.append((row.lang, *(f"{number:,}" for number in (*numbers, row.sampled, row.left))))
    names = ("turns", "copied", "verified", "unique", "in memory", "sample", "left")
    return table("", *names, rows=rows, narrow=True)


def cost_table(estimates: Sequence[LanguageEstimate], count: int, unit: str) -> Table:
    """What is left, in tokens, time and hours of `count` machines."""

    def tokens(of: Sequence[LanguageEstimate]) -> list[str]:
        return [
            _number(together([row.prompt_tokens for row in of])),
            _number(together([row.output_tokens for row in of])),
        ]

    def times(seconds: Estimate | None) -> tuple[str, str]:
        if seconds is None:
            return NOTHING, NOTHING
        hours, share = seconds.value * count / 3600, f"±{seconds.share:.1%}"
        return f"{duration(seconds.value)} {share}", f"{hours:,.3g} {share}"

    shown = table("", "prompt\ntokens", "output\ntokens", "tokens/s", "time", unit, narrow=True)
    for row in estimates:
        rate = NOTHING if row.tokens_per_s is None else _number(row.tokens_per_s)
        shown.add_row(row.lang, *tokens([row]), rate, *times(row.seconds))
    if len(estimates) > 1:
        known = [row.seconds for row in estimates if row.seconds is not None]
        whole = together(known) if len(known) == len(estimates) else None
        shown.add_section()
        shown.add_row("all", *tokens(estimates), "", *times(whole))
    return shown


def _number(estimate: Estimate) -> str:
    """Three digits are more than the interval allows: `940`, `26.1k`, `1.23M`."""
    text = f"{estimate.value:.0f}"
    for size, mark in ((1e3, "k"), (1e6, "M"), (1e9, "G")):
        if estimate.value >= size:
            text = f"{estimate.value / size:.3g}{mark}"
    return f"{text} ±{estimate.share:.1%}"
