"""Tiny towers and language models that take the place of CLIP and Vicuna in the sample."""
