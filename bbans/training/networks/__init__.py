"""Trainable networks on torch, one module per family, with the export of each to its integer twin
in `bbans.models`.
"""
