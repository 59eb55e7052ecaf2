"""Talking to a trained checkpoint: terminal, page, vLLM's server and its plug-in."""
