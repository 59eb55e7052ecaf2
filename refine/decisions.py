"""Turns the rows of review files into decisions: what each reviewer said, checked."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial

from palo.checks.encoding import lost_letters
from palo.checks.image_tag import reframed, without_frame
from palo.checks.language import LanguageId
from palo.errors import nearest
from palo.schemas import Verdict
from refine.filters.contract import Filter, Pair
from refine.filters.empty import EmptyFilter
from refine.filters.encoding import EncodingFilter
from refine.filters.language_id import LanguageFilter
from refine.filters.placeholder import PlaceholderFilter
from refine.filters.script import ScriptFilter
from refine.filters.structure import StructureFilter
from refine.review_csv import (
    Problem,
    ReadRow,
    ReviewRow,
    parse_export_hash,
    parse_review_id,
    text_hash,
)


class ReviewVerdict(StrEnum):
    ACCEPT = "accept"
    FIX = "fix"
    REJECT = "reject"


class ErrorType(StrEnum):
    """A short MQM list, plus what only language models do."""

    MISTRANSLATION = "mistranslation"
    OMISSION = "omission"
    ADDITION = "addition"
    UNTRANSLATED = "untranslated"
    GRAMMAR = "grammar"
    GENDER = "gender"
    SPELLING = "spelling"
    PUNCTUATION = "punctuation"
    CONSISTENCY = "consistency"
    TERMINOLOGY = "terminology"
    STYLE = "style"
    ANSWERED = "answered"
    REFUSAL = "refusal"
    PLACEHOLDER = "placeholder"
    OTHER = "other"


@dataclass(frozen=True)
class ReviewedTurn:
    """A turn as the shards have it now; `translations` are all there are (run and seed)."""

    sample_id: str
    turn: int
    source: str
    context: str
    translations: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """A checked row. `text` is the whole verified turn, "" for a rejection.

    `exported` is the hash of the translation that was reviewed; `stale` says that the shards hold
    another one by now.
    """

    id: str
    verdict: ReviewVerdict
    turn: ReviewedTurn
    text: str
    exported: str
    stale: bool
    all_copies: bool
    reviewer: str
    batch: str
    note: str
    row: ReadRow


ADJUDICATION = "adjudicate"  # the files whose word settles a conflict begin with it
_LOST = (
    "its letters were lost when the file was saved; copy your verdicts into the exported file, and "
    "save that as CSV UTF-8"
)
_YES = frozenset({"yes", "y", "true", "1", "x"})
_NO = frozenset({"", "no", "n", "false", "0"})
# A person's word beats the machine's, but not the structure: these must hold for it, too.
_MUST_HOLD: tuple[Filter, ...] = (
    StructureFilter(),
    PlaceholderFilter(),
    EmptyFilter(),
    ScriptFilter(),
)
_STRICT = frozenset({PlaceholderFilter.name, EncodingFilter.name})  # whatever their verdict


def is_untouched(read: ReadRow) -> bool:
    row = read.row
    return not (row.verdict.strip() or row.correction.strip() or row.error_type.strip())


def decide(read: ReadRow, lang: str, turn: ReviewedTurn | None) -> Decision | tuple[Problem, ...]:
    """What one filled-in row says, or all that is wrong with it.

    Where a row cannot be told to belong to its turn, nothing else of it can be judged.
    """
    row = read.row
    exported = parse_export_hash(row.hash)
    if stray := _stray(row, lang, turn, exported):
        return (_problem(read, *stray),)
    assert turn is not None and exported is not None
    verdict = _verdict(row.verdict)
    problems = []
    if verdict is None:
        problems.append(_problem(read, "verdict", _verdict_problem(row.verdict)))
    if row.error_type.strip().lower() not in ("", *ErrorType):
        known = f"unknown; use one of {' '.join(ErrorType)}"
        problems.append(_problem(read, "error_type", known))
    if row.all_copies.strip().lower() not in _YES | _NO:
        problems.append(_problem(read, "all_copies", "write yes or leave it empty"))
    # a text under a misspelt verdict is looked at as what it looks like
    meant = verdict or (ReviewVerdict.FIX if row.correction.strip() else None)
    text = _text(read, meant, exported[1], turn) if meant else ""
    if isinstance(text, Problem):
        problems.append(text)
    elif text and (broken := _broken(turn.source, text, lang, meant)):
        edited = "correction" if row.correction.strip() else "translation"
        problems.append(_problem(read, edited, broken))
    if problems or verdict is None or isinstance(text, Problem):
        return tuple(problems)
    return Decision(
        id=row.id.strip(),
        verdict=verdict,
        turn=turn,
        text=text,
        exported=exported[1],
        stale=exported[1] not in {text_hash(without_frame(one)) for one in turn.translations},
        all_copies=row.all_copies.strip().lower() in _YES,
        reviewer=row.reviewer.strip(),
        batch=read.file.rpartition(".")[0],
        note=row.note.strip(),
        row=read,
    )


def _stray(
    row: ReviewRow, lang: str, turn: ReviewedTurn | None, exported: tuple[str, str] | None
) -> tuple[str, str] | None:
    """Column and reason where the row belongs to no turn of this language's data."""
    if row.lang.strip() not in ("", lang):
        return "lang", f"this folder holds '{lang}'"
    if parse_review_id(row.id) is None:
        return "id", "not an id of a review row; copy it from the exported file"
    if turn is None:
        return "id", "unknown: no such turn in the translated data"
    if exported is None:
        return "hash", "damaged; copy it from the exported file"
    if exported[0] != text_hash(without_frame(turn.source)):
        return "english", "the English is no longer the one that was exported"
    return None


def _problem(read: ReadRow, column: str, text: str) -> Problem:
    return Problem(read.file, read.line, read.row.id, column, getattr(read.row, column), text)


def settle(decisions: Sequence[Decision]) -> tuple[list[Decision], list[Problem]]:
    """One decision a turn. Rows that disagree are all reported, and none is taken.

    Where an adjudication batch has a word on the turn, the other rows have none.
    """
    settled, problems = [], []
    for group in _by_turn(decisions):
        if _agree(group):
            settled.append(group[0])
            continue
        for one in group:
            others = [other for other in group if other.text != one.text]
            problems.append(_conflict(one, others))
    return settled, problems


def conflicts(decisions: Sequence[Decision]) -> list[list[Decision]]:
    """The rows that disagree, by turn."""
    return [group for group in _by_turn(decisions) if not _agree(group)]


def _by_turn(decisions: Sequence[Decision]) -> list[list[Decision]]:
    by_id: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        by_id[decision.id].append(decision)
    return [
        [one for one in group if one.batch.startswith(ADJUDICATION)] or group
        for group in by_id.values()
    ]


def _agree(group: Sequence[Decision]) -> bool:
    return len({(text_hash(one.text), one.text == "") for one in group}) == 1


def _verdict(text: str) -> ReviewVerdict | None:
    word = text.strip().lower()
    return ReviewVerdict(word) if word in list(ReviewVerdict) else None


def _verdict_problem(text: str) -> str:
    if not text.strip():
        return "half filled in: write accept, fix or reject"
    close = nearest(text.strip(), ReviewVerdict)
    hint = f"; did you mean {close}?" if close else ""
    return f"unknown{hint} Write accept, fix or reject"


def _text(
    read: ReadRow, verdict: ReviewVerdict, exported: str, turn: ReviewedTurn
) -> str | Problem:
    """The verified turn, image tags put back. An edit may also stand in the translation cell."""
    row = read.row
    correction = row.correction.strip()
    edited = text_hash(row.translation) != exported
    problem = partial(_problem, read)
    if edited and lost_letters(read.row.english, row.translation):
        return problem("translation", _LOST)
    if verdict is ReviewVerdict.REJECT:
        if correction:
            return problem("correction", "rejected and corrected: write fix to use the correction")
        return ""
    if verdict is ReviewVerdict.FIX:
        if not correction and not edited:
            return problem("correction", "verdict is fix but there is no correction")
        return reframed(turn.source, correction or row.translation.strip())
    if correction and text_hash(correction) != exported:
        return problem("correction", "accepted and corrected: write fix to use the correction")
    if edited:
        return problem("translation", "accepted but edited: write fix to use your edit")
    for translation in turn.translations:
        if text_hash(without_frame(translation)) == exported:
            return reframed(turn.source, translation)
    return reframed(turn.source, row.translation)


def _broken(source: str, text: str, lang: str, verdict: ReviewVerdict | None) -> str | None:
    """Why a person's text cannot stand, in the filters' words.

    What a person typed must also be in the language, and whole: a spreadsheet may have lost its
    letters. What the machine wrote and a person accepted is not doubted again.
    """
    pair = Pair(source, text)
    typed = _typed_must_hold() if verdict is ReviewVerdict.FIX else ()
    for one in (*typed, *_MUST_HOLD):
        found = one.look(pair, lang)
        if found is None:
            continue
        if found.verdict is Verdict.REJECT or one.name in _STRICT:
            return found.reason
    return None


@cache
def _typed_must_hold() -> tuple[Filter, ...]:
    return EncodingFilter(), LanguageFilter(LanguageId())


def _conflict(one: Decision, others: Sequence[Decision]) -> Problem:
    where = "; ".join(
        f"{other.row.file} line {other.row.line}"
        + (f" by {other.reviewer}" if other.reviewer else "")
        + f": {other.verdict}"
        for other in others
    )
    how = f"Agree on one and clear the other row, or let the {ADJUDICATION} batch decide"
    column = "correction" if one.verdict is ReviewVerdict.FIX else "verdict"
    return Problem(
        one.row.file,
        one.row.line,
        one.id,
        column,
        getattr(one.row.row, column),
        f"conflict, not taken: {where}. {how}",
    )
