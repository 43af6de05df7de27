"""The codec in other libraries: Pillow, zarr, numcodecs, chunks of arrays."""
