"""What the blind audit of passed rows found, held against the acceptance plan."""

from dataclasses import dataclass
from enum import StrEnum

from palo.paths import DataPaths
from refine.audit import audit_result


class Acceptance(StrEnum):
    MET = "met"
    FAILED = "failed"
    OPEN = "open"  # too few rows audited to say


@dataclass(frozen=True)
class Audit:
    """Errors among audited rows; `low` and `high` bound their share (Wilson, 95%)."""

    num_rows: int
    num_errors: int
    low: float
    high: float
    acceptance: Acceptance


def audit(paths: DataPaths, lang: str, plan: tuple[int, int]) -> Audit | None:
    """None where nothing has been audited."""
    found = audit_result(paths, lang)
    if found is None or not found.num_rows:
        return None
    state = accepted(found.num_rows, found.num_errors, *plan)
    return Audit(found.num_rows, found.num_errors, found.low, found.high, state)


def accepted(num_rows: int, num_errors: int, plan_rows: int, max_errors: int) -> Acceptance:
    """Of more rows than the plan has, as many more may be wrong."""
    if num_errors > max_errors * max(1.0, num_rows / plan_rows):
        return Acceptance.FAILED
    return Acceptance.MET if num_rows >= plan_rows else Acceptance.OPEN
