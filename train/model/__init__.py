"""The models, their assembly, checkpoints and conversions."""
