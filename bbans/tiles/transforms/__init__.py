"""Reversible transforms of a tile before it is coded: orientation, and recovery of luma and
chroma.
"""
