"""Bits-back through a pyramid of images: levels of half the size, phases of a level, and a message
that funds itself.
"""
