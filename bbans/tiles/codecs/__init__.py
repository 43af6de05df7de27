"""Codecs of a tile's channels: by a pyramid model, by a latent-variable model of whole images, or
by another library.
"""
