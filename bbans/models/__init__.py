"""p(z), p(x | z) and q(z | x) in exact integers, one module a family, and as files; torch-free.

`base` is what a model provides and declares, `registry` the table of families, `model_file` and
`library` are files of models, `image_model` is a model ready to code whole images.
"""
