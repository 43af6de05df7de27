"""Archives: which image goes into which group, chained groups as pixels, and what is left of a
damaged archive.

An image that has the shape and samples that the chain model was made for joins a chained group, any
other becomes a file of its own in a group of files. Memory: the pixels of one chained group, and of
one image more.
"""
