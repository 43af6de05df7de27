"""Evaluation of models and codecs: rates beside the ELBO, comparisons with other codecs, pictures
made by a model, and reports.
"""
