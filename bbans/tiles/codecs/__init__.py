"""Codecs of a tile's channels: with a pyramid model, with a latent-variable model of whole images,
or with another library.
"""
