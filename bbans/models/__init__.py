"""p(z), p(x | z) and q(z | x) as networks: trainable (`photo`), in integers (`photo_exact`), and as
files (`store`).
"""
