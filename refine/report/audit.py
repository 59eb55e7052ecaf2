"""What the blind audit of passed rows found, held against the acceptance plan."""

from dataclasses import dataclass
from enum import StrEnum

from palo.paths import DataPaths
from refine.audit import audit_results


class Acceptance(StrEnum):
    MET = "met"
    FAILED = "failed"
    OPEN = "open"  # too few rows audited to say


@dataclass(frozen=True)
class Audit:
    """Errors among audited rows of one translator.

    `low` and `high` bound their share in all turns that passed (Wilson, 95%).
    """

    translator: str
    num_rows: int
    num_errors: int
    low: float
    high: float
    acceptance: Acceptance


def audits(paths: DataPaths, lang: str, plan: tuple[int, int]) -> list[Audit]:
    """Of each translator of which audited rows came back, the oldest first."""
    return [
        Audit(
            translator,
            one.num_rows,
            one.num_errors,
            one.low,
            one.high,
            accepted(one.num_rows, one.num_errors, *plan),
        )
        for translator, one in audit_results(paths, lang).items()
        if one.num_rows
    ]


def accepted(num_rows: int, num_errors: int, plan_rows: int, max_errors: int) -> Acceptance:
    """Of more rows than the plan has, as many more may be wrong."""
    if num_errors > max_errors * max(1.0, num_rows / plan_rows):
        return Acceptance.FAILED
    return Acceptance.MET if num_rows >= plan_rows else Acceptance.OPEN
