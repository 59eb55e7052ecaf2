"""What a run would take, measured: translates a sample of what is missing and extrapolates.

    palo translate --lang ur --estimate

The sample's translations go into the memory like any other, so they are not paid for twice.

Segments are ordered by length and cut into strata, from each of which two are drawn: so the sample
has the mix of the whole, also in its long tail. Within that the total follows the lengths by the
combined ratio estimator: T = X * sum(N_h mean(y_h)) / sum(N_h mean(x_h)), where x is a segment's
characters and y its tokens. Its variance is that of the residuals y - R x within the strata, with
the finite population correction (Cochran, Sampling Techniques, 1977, 6.11). A sample of everything
leaves no uncertainty. Speed is tokens over time in the stretch where the engine had its full load;
its error comes from blocks of that stretch, as answers that come in bursts are not independent.
"""

import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist, fmean, variance
from typing import NamedTuple

import numpy as np
from rich.table import Table

from palo.console import NOTHING, Tick, console, note, progress, table
from palo.engines.open import has_gpu, replicas
from palo.engines.stream import Engine, Request, Result
from palo.errors import UserError
from palo.files import run_lock
from palo.memory import Memories, open_memories
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


class Stratum(NamedTuple):
    """`num_units` segments of like size, of which those in `drawn` are translated."""

    num_units: int
    drawn: list[Unit]


@dataclass
class Inventory:
    """What a language has to translate: `units` are in no memory, `there` counts those that are."""

    turns: int = 0
    copied: int = 0
    verified: int = 0
    unique: int = 0
    there: int = 0
    units: list[Unit] = field(default_factory=list)


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


class _Metered(Engine):
    """An engine with notes on when each of its answers came and what it took."""

    def __init__(
        self, engine: Engine, monotonic: Monotonic, answered: Callable[[int], None]
    ) -> None:
        self.kind, self.signature = engine.kind, engine.signature
        self._engine, self._monotonic, self._answered = engine, monotonic, answered
        self._asked: set[str] = set()
        self._answers: list[tuple[float, int]] = []
        self._full_until = 0  # answers that had come when the last new segment was asked for
        self.start_up_s = 0.0  # to the first answer: mostly the loading of the model
        self.prompt_tokens: Counter[bytes] = Counter()
        self.output_tokens: Counter[bytes] = Counter()

    def stream(self, requests: Iterable[Request]) -> Iterator[Result]:
        begun_s = self._monotonic()
        for result in self._engine.stream(map(self._noted, requests)):
            now_s, key = self._monotonic(), bytes.fromhex(result.tag)
            if not self._answers:
                self.start_up_s = now_s - begun_s
            self._answers.append((now_s, result.output_tokens))
            if key not in self.output_tokens:  # no retry
                self._answered(1)
            self.prompt_tokens[key] += result.prompt_tokens
            self.output_tokens[key] += result.output_tokens
            yield result

    def _noted(self, request: Request) -> Request:
        if request.tag not in self._asked:  # no retry
            self._asked.add(request.tag)
            self._full_until = len(self._answers)
        return request

    def speed(self, at_once: int) -> tuple[Estimate | None, bool]:
        """Where the engine was not full for long, of all answers: rather too slow than too fast."""
        full = self._answers[at_once : self._full_until]
        if len(full) >= _LEAST_ANSWERS and (rate := speed(full)):
            return rate, True
        return speed(self._answers), False


def _silent(advance: int = 1, text: str = "") -> None:
    return


def estimate_all(
    jobs: Iterable[tuple[TranslationJob, Engine]],
    paths: DataPaths,
    load: tuple[int, int, str],
    num: int | None,
) -> None:
    """Runs the languages and prints the tables; `load` is the engine's `full_load`."""
    estimates, limits = [], []
    at_once, count, unit = load
    wanted = num or max(_LEAST, _ROUNDS * at_once)
    for job, engine in jobs:
        bar = partial(progress, f"estimate {job.lang}")
        estimate = estimate_language(job, paths, engine, wanted, time.monotonic, bar)
        note(
            f"{job.lang}: {estimate.sampled:,} segments translated into the memory as a sample, "
            f"start-up {estimate.start_up_s:.1f} s"
        )
        estimates.append(estimate)
        limits.append(job.limit)
    rows = []  # the sample is among what is there already now
    for of_lang in estimates:
        stock = of_lang.inventory
        numbers = (stock.turns, stock.copied, stock.verified, stock.unique, stock.there)
        cells = (f"{number:,}" for number in (*numbers, of_lang.sampled, of_lang.left))
        rows.append((of_lang.lang, *cells))
    titles = ("turns", "copied", "verified", "unique", "in memory", "sample", "left")
    console.print(table("", *titles, rows=rows, narrow=True))
    console.print()
    console.print(_cost_table(estimates, count, unit))
    note("± is half of a 95 % interval. Start-up is not in the time.")
    factors = ", ".join(f"{limit.lang} {limit.factor:.2f}" for limit in limits)
    note(f"Tokens for one of English ({limits[0].counted_by}): {factors}. {limits[0].rule}")
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
    progress_of: Callable[[int], AbstractContextManager[Tick]] = lambda total: nullcontext(_silent),
) -> LanguageEstimate:
    """Translates about `num` missing segments into the memory; writes no shard. `progress_of` is
    given how many they are, and its tick is called for each. Raises UserError
    for dialogues: what a turn's prompt holds is known only once the turn before is translated, so
    no sample stands for the rest."""
    if job.settings.context is Context.DIALOGUE:
        raise UserError(
            "--estimate can't foretell `context: dialogue`, where every prompt holds translations. "
            "Estimate with `context: source` and expect up to three times its prompt tokens."
        )
    with (
        run_lock(paths.memory_dir / job.lang, f"estimate for {job.lang}"),
        open_memories(paths, job.lang) as memories,
    ):
        stock = take_stock(job, shard_paths(paths.source_dir), memories)
        strata = draw(stock.units, num, _SEED)
        drawn = [unit for stratum in strata for unit in stratum.drawn]
        sample = {unit.key for unit in drawn}
        shards = sorted({unit.shard for unit in drawn})
        with progress_of(len(drawn)) as tick:
            metered = _Metered(engine, monotonic, tick)
            Filler(job, memories, only=sample).run(shards, metered)
    left = []
    taken = ((metered.prompt_tokens, "prompt_size"), (metered.output_tokens, "size"))
    for tokens, size in taken:  # the whole, less what the sample is known to have taken
        sizes = {unit.key: getattr(unit, size) for unit in stock.units}
        whole = ratio_total(strata, sizes, tokens, sum(sizes.values()))
        paid = sum(tokens[key] for key in sample)
        # below 0 by rounding only: with all of it drawn the two are equal
        left.append(Estimate(max(0.0, whole.value - paid), whole.half))
    rate, full = metered.speed(full_load(job.settings, EngineKind(engine.kind))[0])
    prompt, output = left
    start_up_s = metered.start_up_s
    return LanguageEstimate(job.lang, stock, len(drawn), start_up_s, prompt, output, rate, full)


def take_stock(job: TranslationJob, sources: Sequence[Path], memories: Memories) -> Inventory:
    stock = Inventory()
    seen: set[bytes] = set()
    for path in sources:
        new: dict[bytes, Unit] = {}
        for sample in read_samples(path):
            words = memories.verified.of_sample(sample.sample_id, sample.turns)
            for index, (cut, key) in enumerate(job.cuts(sample)):
                stock.turns += 1
                if index in words:
                    stock.verified += 1
                elif not key:
                    stock.copied += 1
                elif key not in seen:
                    seen.add(key)
                    new[key] = Unit(key, len(cut.text), len(job.prompt_text(cut)), path)
        known = memories.machine.has(list(new))
        stock.there += len(known)
        stock.units += [unit for key, unit in new.items() if key not in known]
    stock.unique = len(seen)
    return stock


def full_load(settings: TranslatorSettings, kind: EngineKind) -> tuple[int, int, str]:
    """Of an engine that is full: the segments that it works on, and how many of what are busy. Of a
    Ray without a number of workers nothing is known but that it is one cluster."""
    seqs, gpus = settings.max_num_seqs, settings.tensor_parallel_size
    workers = settings.ray.workers
    with_gpu = has_gpu()
    here = "GPU-hours" if with_gpu else "machine-hours"
    match kind:
        case EngineKind.OPENAI:
            return settings.server.concurrency, 1, "server-hours"
        case EngineKind.RAY if workers:
            return seqs * workers, workers * gpus, "GPU-hours"
        case EngineKind.RAY:
            return seqs, 1, "cluster-hours"
        case EngineKind.VLLM:
            models = replicas(kind, settings)
            return seqs * models, gpus * models if with_gpu else 1, here
        case EngineKind.TRANSFORMERS:
            return settings.batch_size, 1, here
    return 1, 1, "machine-hours"


def draw(units: Sequence[Unit], num: int, seed: int) -> list[Stratum]:
    """About `num` units, two a stratum; the choice depends on keys and seed, not on the order."""

    def rank(unit: Unit) -> bytes:
        return hashlib.blake2b(unit.key, digest_size=8, salt=seed.to_bytes(8, "little")).digest()

    ordered = sorted(units, key=lambda unit: (unit.size, rank(unit)))
    if num >= len(ordered):
        return [Stratum(len(ordered), ordered)] if ordered else []
    strata = max(1, num // 2)
    cuts = [round(len(ordered) * at / strata) for at in range(strata + 1)]
    return [
        Stratum(end - start, sorted(ordered[start:end], key=rank)[:2])
        for start, end in pairwise(cuts)
    ]


def ratio_total(
    strata: Sequence[Stratum], xs: Mapping[bytes, float], ys: Mapping[bytes, float], total_x: float
) -> Estimate:
    """The total of y over all units, from the drawn ones' x and y and the known total of x."""
    sum_x, sum_y = (
        sum(num_units * fmean(of[unit.key] for unit in drawn) for num_units, drawn in strata)
        for of in (xs, ys)
    )
    ratio = sum_y / sum_x if sum_x else 0.0
    spreads = []
    for num_units, drawn in strata:
        if (num := len(drawn)) >= 2:
            left = variance([ys[unit.key] - ratio * xs[unit.key] for unit in drawn])
            spreads.append((num_units * (num_units - num) * left / num, num - 1))
    spread = sum(part for part, _ in spreads)
    if not spread:
        return Estimate(ratio * total_x, 0.0)
    # Satterthwaite: a few strata of long segments may bring nearly all of the variance
    degrees = spread**2 / sum(part**2 / freedom for part, freedom in spreads)
    return Estimate(ratio * total_x, _student(degrees) * math.sqrt(spread))


def speed(answers: Sequence[tuple[float, int]]) -> Estimate | None:
    """Tokens a second from (time, tokens) of answers in order; the first only starts the clock.
    None where they are too few or came at one moment."""
    blocks = min(_BLOCKS, len(answers) - 1)
    if blocks < 2:
        return None
    cuts = [round((len(answers) - 1) * at / blocks) for at in range(blocks + 1)]
    times, numbers = np.array(answers, dtype=float).T
    spans, tokens = np.diff(times[cuts]), np.diff(np.cumsum(numbers)[cuts])
    total_s = float(spans.sum())
    if total_s <= 0 or not tokens.any():
        return None
    rate = float(tokens.sum()) / total_s
    error = math.sqrt(np.var(tokens - rate * spans, ddof=1) * blocks) / total_s
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


def _cost_table(estimates: Sequence[LanguageEstimate], count: int, unit: str) -> Table:
    """What is left, in tokens, time and hours of `count` machines."""

    def cells(of: Sequence[LanguageEstimate], rate: str, seconds: Estimate | None) -> list[str]:
        tokens = ([row.prompt_tokens for row in of], [row.output_tokens for row in of])
        time_left = hours = NOTHING
        if seconds is not None:
            share = f"±{seconds.share:.1%}"
            time_left = f"{duration(seconds.value)} {share}"
            hours = f"{seconds.value * count / 3600:,.3g} {share}"
        return [*map(_number, map(together, tokens)), rate, time_left, hours]

    rows: list[Sequence[str]] = []
    for row in estimates:
        rate = NOTHING if row.tokens_per_s is None else _number(row.tokens_per_s)
        rows.append((row.lang, *cells([row], rate, row.seconds)))
    if len(estimates) > 1:
        known = [row.seconds for row in estimates if row.seconds is not None]
        whole = together(known) if len(known) == len(estimates) else None
        rows += [(), ("all", *cells(estimates, "", whole))]
    titles = ("prompt\ntokens", "output\ntokens", "tokens/s", "time", unit)
    return table("", *titles, rows=rows, narrow=True)


def _number(estimate: Estimate) -> str:
    """Three digits are more than the interval allows: `940`, `26.1k`, `1.23M`."""
    text = f"{estimate.value:.0f}"
    for size, mark in ((1e3, "k"), (1e6, "M"), (1e9, "G")):
        if estimate.value >= size:
            text = f"{estimate.value / size:.3g}{mark}"
    return f"{text} ±{estimate.share:.1%}"
