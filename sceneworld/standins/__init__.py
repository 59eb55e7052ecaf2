"""Tiny towers, language models and translators in place of CLIP, Vicuna and a translation LLM."""
