"""Checks of text that translate, refine and train share: language, script, repetition, ..."""
