"""Checkpoints of the published layouts into ours, and ours into theirs."""
