"""Rendering of training pictures, the training loop and the export of the model."""
