"""Networks of integers, computed in floats without rounding: equal results under every order of
summation, number of threads and device.

A layer's sums are integers times one power of two for each output channel. float32 adds them
without rounding as long as every partial sum stays below 2^24 units (float64: 2^53), in any order,
with or without fused multiply-add. `layers` checks this bound when a model is exported and again
when it is loaded. `ops` is the interface of a backend; two independent backends compute the same
integers (`torch_ops`, with the convolutions of `convolutions`, and `numpy_ops`). `threads` divides
work among threads.
"""
