"""The report of a run: figures from what the stages wrote, a table, and one HTML page."""

from palo.report.figures import Figures, collect
from palo.report.page import write_page
from palo.report.tables import table

__all__ = ["Figures", "collect", "table", "write_page"]
