"""Training on torch: objectives, gradient estimators and trainable networks, the training loop, and
`bbans train` from a folder of images to a model file.
"""
