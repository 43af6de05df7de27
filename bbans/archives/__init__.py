"""Archives of many images: assignment of images to groups, coding of groups, and reading of whole
and damaged archives.

An image that fits the archive's latent model (shape, number of levels, no palette) joins a chained
group, whose images share one message; any other becomes a single-image file in a group of files.
Memory: the pixels of one chained group and of one more image, for every group coded in parallel.
"""
