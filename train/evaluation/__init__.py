"""Held-out questions in ten languages: asking, and when an answer is right."""
