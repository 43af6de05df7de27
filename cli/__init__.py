"""The command line of bbans: parsing of arguments, naming of outputs, and printing.

All other work is done by the public functions of `bbans`.
"""
