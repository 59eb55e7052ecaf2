"""Samples on their way to the model: mixture, template, images, batches."""
