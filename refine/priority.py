"""Which of the flagged turns a person should see first: those whose correction is worth most."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from palo.memory import TemporaryCounts
from palo.schemas import RefinedSample, Verdict
from refine.review_csv import ReviewRow

# A rejected text is wrong for sure and the next translator may do better; of one that asks for
# review nobody knows.
_WORTH = {Verdict.REVIEW: 1.0, Verdict.REJECT: 0.5}


@dataclass(frozen=True)
class Candidate:
    """A row with what it is worth: turns that its correction mends, and how doubtful it is.

    Rows of equal `gain` go by `logprob` (nats a token), the unsurest first, then as they come.
    """

    row: ReviewRow
    gain: float = 0.0
    logprob: float = 0.0


def candidate(refined: RefinedSample, turn: int, row: ReviewRow) -> Candidate:
    worth = _WORTH.get(refined.turn_verdicts[turn], 0.0)
    return Candidate(row, worth, refined.sample.meta[turn].mean_logprob or 0.0)


def ranked(
    turns: Callable[[], Iterable[Candidate]], is_out: Callable[[ReviewRow], bool]
) -> Iterator[Candidate]:
    """The candidates of `turns`, in order, the gain of each times the number of its copies.

    Copies are turns of the same English and translation. The first stands for all of them and
    its reasons say so; the others are worth nothing while it is out. `turns` is called twice, and
    the counts lie in a temporary file, so that memory does not grow with the corpus.
    """
    with TemporaryCounts() as counts:
        counts.add((one.row.hash, is_out(one.row)) for one in turns())
        for one in turns():
            if is_out(one.row):
                yield one
            elif number := counts.claim(one.row.hash):
                yield Candidate(_with_copies(one.row, number), one.gain * number, one.logprob)
            else:
                yield replace(one, gain=0.0)


def _with_copies(row: ReviewRow, number: int) -> ReviewRow:
    if number == 1:
        return row
    said = f"{number} turns read like this one: all_copies yes mends them all"
    return replace(row, reasons=f"{row.reasons}; {said}" if row.reasons else said)
