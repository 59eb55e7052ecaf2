"""Speed and time left of one language, from what the filler counts and the time it is told."""

from collections import deque
from collections.abc import Callable

from translate.events import Progress, Sink
from translate.fill import FillCounts

Monotonic = Callable[[], float]

_WINDOW_S = 60.0  # "recent": long enough for the slowest answers, short enough to notice a change
_STEP_S = 1.0  # between two looks that the window keeps
_EMIT_S = 0.2


class Meter:
    """Turns counts into Progress; the caller tells the time in seconds, from any start."""

    def __init__(self, lang: str, turns: int, start_s: float) -> None:
        self._lang = lang
        self._turns = turns
        self._start_s = start_s
        self._looks: deque[tuple[float, int, int]] = deque()  # time, finished, output tokens

    def look(self, now_s: float, counts: FillCounts) -> Progress:
        """The window begins at the first answer, so no start-up and no memory hit is in it."""
        if counts.finished and (not self._looks or now_s - self._looks[-1][0] >= _STEP_S):
            self._looks.append((now_s, counts.finished, counts.output_tokens))
        while len(self._looks) > 2 and now_s - self._looks[1][0] >= _WINDOW_S:
            self._looks.popleft()
        speed = self._per_s(now_s, 1, counts.finished)
        return Progress(
            lang=self._lang,
            turns=self._turns,
            turns_done=counts.turns - counts.wanted + counts.finished,
            sent=counts.sent,
            finished=counts.finished,
            reused=counts.reused,
            copied=counts.copied,
            retried=counts.retried,
            failures=dict(counts.problems.most_common()),
            prompt_tokens=counts.prompt_tokens,
            output_tokens=counts.output_tokens,
            output_tokens_per_s=self._per_s(now_s, 2, counts.output_tokens),
            segments_per_s=speed,
            eta_s=self._left(counts) / speed if speed else None,
            elapsed_s=now_s - self._start_s,
        )

    def _per_s(self, now_s: float, column: int, value: int) -> float | None:
        if not self._looks or now_s <= self._looks[0][0]:
            return None
        gained = value - self._looks[0][column]
        return gained / (now_s - self._looks[0][0]) if gained else None

    def _left(self, counts: FillCounts) -> float:
        """Segments still to be answered.

        Of the shards read it is known. Those to come are taken to want requests for as many of
        their turns as the shards did that wanted any: shards that were all in the memory are what
        an earlier run did, and say nothing of the rest. Later shards repeat more of what was said,
        so this is rather too much than too little.
        """
        share = counts.wanted / counts.turns_with_work if counts.turns_with_work else 0.0
        unread = max(0, self._turns - counts.turns)
        return counts.wanted - counts.finished + unread * share


class Tracker:
    """The filler's `watch`: tells the sink a few times a second, whatever the engine's speed."""

    def __init__(self, lang: str, turns: int, sink: Sink, monotonic: Monotonic) -> None:
        self._sink = sink
        self._monotonic = monotonic
        self._meter = Meter(lang, turns, monotonic())
        self._told_s = -_EMIT_S

    def __call__(self, counts: FillCounts) -> None:
        now_s = self._monotonic()
        if now_s - self._told_s >= _EMIT_S:
            self._tell(now_s, counts)

    def last(self, counts: FillCounts) -> None:
        """The state at the end, told whenever the one before was."""
        self._tell(self._monotonic(), counts)

    def _tell(self, now_s: float, counts: FillCounts) -> None:
        self._told_s = now_s
        self._sink(self._meter.look(now_s, counts))
