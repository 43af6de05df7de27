"""Trainable networks on torch, one module a family, and how each becomes its integer twin in
`bbans.models`.
"""
