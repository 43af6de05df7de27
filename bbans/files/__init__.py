"""Files of one image: compression and decompression, properties of files, and storage access."""
