"""Pictures of how bits are spent: heat maps of bits per pixel, and plots of a rate's terms."""
