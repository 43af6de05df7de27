"""Information as a stack: rANS messages, codecs as pairs of functions, lanes and the vectorised hot
path.
"""
