"""Bits-back coding on a pyramid of images: levels of half the size, each level coded in phases, and
a message that needs no initial bits.
"""
