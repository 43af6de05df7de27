"""A JPEG file to its record and back, byte for byte: methods, and the choice among them."""
