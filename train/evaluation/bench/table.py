"""The figures of a bench run in the terminal: by language, by category, beside published ones."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from palo.console import NOTHING, percent
from train.evaluation.bench.published import Group, published

Figures = Mapping[str, Any]

_MEANS = {Group.HIGH: "mean high", Group.LOW: "mean low", Group.ALL: "mean"}


def tables(result: Figures) -> Iterator[Table]:
    """Each fits 80 columns."""
    yield _languages(result)
    yield _categories(result)
    if result["judged"]:
        yield _beside_published(result)


def notes(result: Figures) -> Iterator[str]:
    """What a reader of the tables must know."""
    languages = result["languages"].values()
    if unparsed := sum(row["unparsed"] for row in languages):
        faults: dict[str, int] = {}
        for row in languages:
            for fault, count in row["faults"].items():
                faults[fault] = faults.get(fault, 0) + count
        why = "; ".join(f"{count} x {fault}" for fault, count in sorted(faults.items()))
        yield f"Not scored, for no reply of the judge could be read: {unparsed} ({why})."
    exact = [bool(row.get("accepted")) for row in result["answers"]]
    if any(exact) and not all(exact):
        yield f"Without an exact answer, so compared as texts alone: {exact.count(False)}."
    if failures := result["failures"]:
        yield (
            f"Not scored, for the judge's server gave no reply: {len(failures)} "
            f"(first: {failures[0]}). The same command asks for them again."
        )
    if (lead := result["first_place_lead"]) is not None:
        yield f"Standing first was worth {lead:+.2f} points to an answer; both orders are averaged."
    if result["judged"]:
        for model, shares in published().fidelity.items():
            told = ", ".join(f"{lang} {share:.1f}%" for lang, share in shares.items())
            yield f"Published for {model}, answers in the right language: {told} (Centurio)."
    yield f"Signature: {result['signature']}"
    for name, key in (("chrF++", "chrf_signature"), ("BLEU", "bleu_signature")):
        by_signature: dict[str, list[str]] = {}
        for lang, row in result["languages"].items():
            by_signature.setdefault(row["text"][key], []).append(lang)
        for signature, langs in by_signature.items():
            yield f"{name} of {' '.join(langs)}: {signature}"


def _languages(result: Figures) -> Table:
    """A row a language and a group; intervals are 95%."""
    title = f"{result['scale']}: 100 x mean(model) / mean(reference)"
    table = Table("language", title=title if result["judged"] else f"{result['scale']}: score")
    for column in ("scored", "score", "95%", "wrong\nlang. 0", "right\nlang.", "chrF++", "BLEU"):
        table.add_column(column, justify="right")
    for lang, row in result["languages"].items():
        text = row["text"]
        table.add_row(lang, *_scored(row), f"{text['chrf']:.1f}", f"{text['bleu']:.1f}")
    table.add_section()
    for group, label in _MEANS.items():
        row = result["groups"][group]
        if row["score"]:
            table.add_row(label, *_scored(row), "", "")
    return table


def _scored(row: Figures) -> tuple[str, ...]:
    score, zeroed = row["score"], row["score_wrong_language_zero"]
    counted = f"{score['n'] if score else 0}/{row['questions']}"
    return counted, _value(score), _interval(score), _value(zeroed), percent(row["fidelity"])


def _categories(result: Figures) -> Table:
    """A row a category: means of the languages."""
    table = Table("category", title="By category")
    for column in (Group.ALL, "95%", Group.HIGH, Group.LOW):
        table.add_column(column, justify="right")
    for name, row in result["categories"].items():
        score, high, low = (row[group] for group in (Group.ALL, Group.HIGH, Group.LOW))
        table.add_row(name, _value(score), _interval(score), _value(high), _value(low))
    return table


def _beside_published(result: Figures) -> Table:
    known = published()
    table = Table("language", title=f"Beside {known.source}", caption="Other judges, other scores.")
    for column in (f"this {result['scale']}", *known.models):
        table.add_column(column, justify="right")
    for lang, row in result["languages"].items():
        theirs = (f"{scores[lang]:.1f}" for scores in known.models.values())
        table.add_row(lang, _value(row["score"]), *theirs)
    table.add_section()
    for group, label in _MEANS.items():
        theirs = (_published_mean(model, group) for model in known.models)
        whole = {*known.languages(group)} <= result["languages"].keys()
        ours = _value(result["groups"][group]["score"]) if whole else NOTHING
        table.add_row(label, ours, *theirs)
    return table


def _published_mean(model: str, group: Group) -> str:
    """As published where it was; the groups' means follow from the rows."""
    known = published()
    mean = known.averages[model] if group is Group.ALL else known.mean(known.models[model], group)
    return f"{mean:.1f}"


def _value(score: Figures | None) -> str:
    return NOTHING if score is None else f"{score['value']:.1f}"


def _interval(score: Figures | None) -> str:
    return NOTHING if score is None else f"{score['low']:.1f}-{score['high']:.1f}"
