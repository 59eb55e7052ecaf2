"""The files of a review folder that people filled in, CSVs and workbooks alike."""

from pathlib import Path

from refine.review_csv import ReadFile, read_review, review_files
from refine.review_xlsx import read_xlsx

XLSX = ".xlsx"


def returned_files(folder: Path) -> list[Path]:
    """Review CSVs and workbooks, by name; no sidecars and no lock files of office programs."""
    books = [path for path in folder.glob(f"*{XLSX}") if not path.name.startswith((".", "~"))]
    return sorted([*review_files(folder), *books])


def read_returned(path: Path) -> ReadFile:
    return read_xlsx(path) if path.suffix == XLSX else read_review(path)
