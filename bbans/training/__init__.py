"""Optimisation over models: the training loop, and from a folder of images to a model file."""
