"""Latent models in exact integers: p(z), p(x | z) and q(z | x), one module per family, and model
files. This package never imports torch.

`base` defines what a model provides and declares, `registry` is the table of families, `model_file`
and `library` read, write and find model files, `image_model` prepares a loaded model to code whole
images. Trainable counterparts are in `bbans.training.networks`.
"""
