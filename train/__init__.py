"""Trains PALO at three scales on the refined shards, and measures what the models answer."""
