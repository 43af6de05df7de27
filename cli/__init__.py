"""The command line of bbans: it parses, names outputs and prints; everything else is the public API
of `bbans`.
"""
