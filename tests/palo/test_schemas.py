"""The contracts between stages."""

from dataclasses import fields

from palo.schemas import (
    REFINED,
    SOURCE,
    TRANSLATED,
    Finding,
    RefinedSample,
    Sample,
    TranslatedSample,
    TurnMeta,
    Verdict,
)


def names(kind):
    return [field.name for field in fields(kind)]


def test_each_schema_has_the_fields_of_its_dataclass_in_order():
    assert SOURCE.names == names(Sample)
    assert TRANSLATED.names == names(TranslatedSample)
    assert REFINED.names == TRANSLATED.names + names(RefinedSample)[1:]


def test_nested_fields_match_too():
    meta = TRANSLATED.field("meta").type.value_type
    finding = REFINED.field("findings").type.value_type.value_type
    assert [field.name for field in meta] == names(TurnMeta)
    assert [field.name for field in finding] == names(Finding)


def test_verdicts_are_ordered_from_best_to_worst():
    assert [(verdict.severity, str(verdict)) for verdict in Verdict] == [
        (0, "pass"),
        (1, "note"),
        (2, "review"),
        (3, "reject"),
    ]


def test_only_review_and_reject_ask_for_a_person():
    assert [verdict for verdict in Verdict if verdict.flagged] == [Verdict.REVIEW, Verdict.REJECT]
