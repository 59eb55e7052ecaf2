"""Reports: what HTML pages are made of, and the report of a whole run."""
