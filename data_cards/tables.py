"""The tables of a dataset's card, from what the stages wrote down of each language."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from data_cards.facts import LanguageFacts
from data_cards.markdown import (
    NOT_MEASURED,
    bars,
    cell,
    code,
    interval,
    number,
    quantile,
    share,
    table,
)
from palo.intervals import wilson
from palo.schemas import TurnStatus, Verdict

Rows = Sequence[LanguageFacts]
_PARTS = (0.05, 0.25, 0.5, 0.75, 0.95)


def stages(rows: Rows) -> str:
    """Turns by what became of them."""
    statuses = (TurnStatus.TRANSLATED, TurnStatus.VERIFIED, TurnStatus.COPIED, TurnStatus.FAILED)
    verdicts = list(Verdict)
    heads = ["language", "turns", *statuses, *(f"verdict {one}" for one in verdicts)]
    return table(
        heads,
        [
            [
                f"{row.lang} {row.name}",
                number(row.turns),
                *(number(row.by_status(one)) for one in statuses),
                *(number(row.by_verdict(one)) for one in verdicts),
            ]
            for row in rows
        ],
    )


def conversations(rows: Rows, english: int | None) -> str:
    """Conversations from the source to training; `english` are those beside the translated."""
    heads = ("language", "source", "translated", "kept whole", "cut", "left out", "with picture")
    lines = [
        (
            f"{row.lang} {row.name}",
            number(row.source.samples),
            number(row.samples),
            number(row.use.whole if row.use else None),
            number(row.use.cut if row.use else None),
            number(row.use.left_out if row.use else None),
            number(row.use.with_image if row.use else None),
        )
        for row in rows
    ]
    if english is not None:
        lines = [("en English", number(english), "", number(english), "", "", ""), *lines]
    return table(heads, lines)


def filters(rows: Rows, told: Mapping[str, Any]) -> str:
    """What each filter looks for, and the flagged turns that it spoke of."""
    counts = [row.refined.get("by_reason", {}) for row in rows]
    names = [*told.get("filters", {})]
    names += sorted({name for one in counts for name in one} - {*names})
    about = told.get("filters", {})
    return table(
        ("filter", "looks for", *(row.lang for row in rows)),
        [
            (
                code(name),
                cell(about.get(name, "?")),
                *(number(one.get(name, 0)) for one in counts),
            )
            for name in names
        ],
        align="ll" + "r" * len(rows),
    )


def thresholds(rows: Rows, told: Mapping[str, Any]) -> str:
    """A row a threshold, with its source."""
    sources, values = told.get("threshold_sources", {}), told.get("thresholds", {})
    langs = [row.lang for row in rows if row.lang in values]
    return table(
        ("threshold", *langs, "source"),
        [
            (code(name), *(_threshold(values[lang].get(name)) for lang in langs), cell(source))
            for name, source in sources.items()
        ],
        align="l" + "r" * len(langs) + "l",
    )


def _threshold(value: Any) -> str:
    if isinstance(value, list):
        return "–".join(f"{one:g}" for one in value)
    return NOT_MEASURED if value is None else f"{value:g}"


def languages(rows: Rows) -> str:
    """What language ID says of a sample of turns."""
    return table(
        ("language", "turns asked", "given as it", "given as others"),
        list(_identified(rows)),
        align="lrrl",
    )


def _identified(rows: Rows) -> Iterator[tuple[str, ...]]:
    for row in rows:
        found = row.report.get("identified", {})
        asked = sum(found.values())
        if not asked:
            yield f"{row.lang} {row.name}", NOT_MEASURED, "", ""
            continue
        others = sorted(((n, lang) for lang, n in found.items() if lang != row.lang), reverse=True)
        told = ", ".join(f"{cell(lang)} {count:,}" for count, lang in others[:5])
        own = found.get(row.lang, 0) / asked
        yield f"{row.lang} {row.name}", number(asked), share(own), told


def ratios(rows: Rows, told: Mapping[str, Any]) -> str:
    """Quantiles of target/source characters beside the band that the length filter holds."""
    bands = told.get("thresholds", {})
    lines = []
    for row in rows:
        steps = row.report.get("length_ratios", {})
        values = [quantile(steps, part) or NOT_MEASURED for part in _PARTS]
        band = _threshold(bands.get(row.lang, {}).get("length_ratio"))
        lines.append((f"{row.lang} {row.name}", number(sum(steps.values())), *values, band))
    heads = ("language", "turns", *(f"{100 * part:.0f}%" for part in _PARTS), "usual band")
    return table(heads, lines)


def ratio_bars(row: LanguageFacts) -> str:
    """The same as a histogram in steps of a tenth."""
    tenths: dict[str, int] = {}
    for edge, count in sorted(row.report.get("length_ratios", {}).items(), key=lambda one: one[0]):
        step = f"{int(float(edge) * 10 + 1e-9) / 10:.1f}"
        tenths[step] = tenths.get(step, 0) + count
    return bars(list(tenths.items()))


def reviews(rows: Rows) -> str:
    """Every batch that came back: how many turns people changed."""
    lines = [
        (
            f"{row.lang} {row.name}",
            cell(one["name"]),
            cell(one["kind"]),
            number(one["decided"]),
            number(one["edited"]),
            f"{share(one['edit_rate'])} ({interval(*wilson(one['edited'], one['decided']))})",
            NOT_MEASURED if one["chrf"] is None else f"{one['chrf']:.1f}",
        )
        for row in rows
        for one in row.report.get("rounds", [])
    ]
    heads = ("language", "batch", "turns of", "judged", "changed", "share (95%)", "chrF")
    return table(heads, lines, align="lllrrrr") if lines else ""


def audits(rows: Rows) -> str:
    """Turns that had passed, reviewed blind; one row a translator."""
    lines = [
        (
            f"{row.lang} {row.name}",
            cell(one["translator"]),
            number(one["num_rows"]),
            number(one["num_errors"]),
            interval(one["low"], one["high"]),
            cell(one["acceptance"]),
        )
        for row in rows
        for one in row.report.get("audits", [])
    ]
    heads = ("language", "translator", "audited", "wrong", "of all that passed (95%)", "plan")
    return table(heads, lines, align="llrrrl") if lines else ""


def finetune(told: Mapping[str, Any], rows: Rows) -> str:
    """chrF++ and BLEU of the translator before and after, on pairs held out."""
    found = told.get("languages", {})
    keys = ("chrf_before", "chrf_after", "bleu_before", "bleu_after")
    lines = [
        (
            f"{row.lang} {row.name}",
            number(found[row.lang]["pairs"]),
            number(found[row.lang]["held_out"]),
            *(_score(found[row.lang].get(key)) for key in keys),
        )
        for row in rows
        if row.lang in found
    ]
    heads = ("language", "trained on", "held out", "chrF++ before", "after", "BLEU before", "after")
    return table(heads, lines) if lines else ""


def _score(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.1f}"
