"""A bound is a coder: what is pushed and popped, in which order, and what that costs.

Never imports torch.
"""
