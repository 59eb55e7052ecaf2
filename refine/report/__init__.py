"""The report of refine: what was kept and flagged and why, and whether reviewing pays."""
