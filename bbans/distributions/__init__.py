"""Probability on integers: monotone integer CDFs with every frequency at least 1, built on tables
that are exact everywhere.
"""
