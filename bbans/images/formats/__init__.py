"""Image file formats: one module per format, and the table that detects, reads and writes them."""
