"""Steps that would wait for a GPU, found without one: what they read back, or send there number by
number.
"""

import sys

import torch
from torch.utils._python_dispatch import TorchDispatchMode

READS = {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "lift_fresh"}


class Waited(Exception):
    """What would wait."""


class NothingRead(TorchDispatchMode):
    """Refuse operations that need a tensor's values, or make one from numbers of Python, outside
    torch's optimisers.

    Those keep their count of steps on the CPU. `tolist` reads without an operation, and is
    replaced.
    """

    def __enter__(self):
        self._tolist = torch.Tensor.tolist

        def tolist(tensor):
            raise Waited("tolist")

        torch.Tensor.tolist = tolist
        return super().__enter__()

    def __exit__(self, *details):
        torch.Tensor.tolist = self._tolist
        return super().__exit__(*details)

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        name = function.overloadpacket.__name__
        masked = name in ("index", "index_put_", "index_put") and any(
            i is not None and i.dtype == torch.bool for i in arguments[1]
        )
        if (name in READS or masked) and not _optimiser():
            raise Waited(name)
        return function(*arguments, **(options or {}))


def _optimiser():
    frame = sys._getframe()
    while frame is not None:
        if "/torch/optim/" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False
