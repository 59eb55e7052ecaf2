"""The training loop around transformers Trainer."""
