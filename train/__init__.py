"""Model, projector, mixture, trainer, checkpoints, evaluation."""
