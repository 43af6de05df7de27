"""Plugins for other libraries: Pillow, zarr, numcodecs, and the coding of array chunks that the
last two share.
"""
