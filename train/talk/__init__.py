"""Talking to a trained checkpoint: in the terminal, on a page, through vLLM's server."""
