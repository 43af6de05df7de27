"""The GPU kit: all that a quarter of an hour of somebody's GPU needs, made and rehearsed before;
see docs/training.md.
"""
