"""What a model or a codec is worth: rates beside the ELBO, comparisons, pictures that a model
makes, and reports.
"""
