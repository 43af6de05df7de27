"""Image files: one module a format, with what tells them apart, reads and writes them."""
