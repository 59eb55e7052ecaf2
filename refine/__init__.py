"""Filters, language ID, review queues, selection."""
