"""Files of one image: pixels to bytes and back, what a file holds, and where files are kept."""
