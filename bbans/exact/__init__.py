"""Integer-valued networks held in floats: exact under every summation order, thread count and
device.

A layer's sums are integers times one power of two per output channel. float32 adds them without
rounding as long as every partial sum stays below 2^24 units (float64: 2^53), whatever the order and
with or without fused multiply-add. The bound is computed at export and again at load (`layers`);
two independent backends compute the same integers (`torch_ops`, `numpy_ops`).
"""
