"""What is done to a tile before it is coded and undone after: orientation, and samples that keep to
a lattice.
"""
