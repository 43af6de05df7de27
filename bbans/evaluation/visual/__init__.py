"""Where the bits went, as pictures: heat maps and plots."""
