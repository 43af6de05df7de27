"""Where the bits of a file went: it is decoded, and its length split into terms."""

from __future__ import annotations

import numpy as np

from bbans import container, tiles
from bbans.execution.executor import all_threads
from bbans.files import jpeg
from bbans.files.context import context_of_file
from bbans.files.info import IDEAL_DRAWS, Accounted
from bbans.models.library import ModelLike
from bbans.schemes.metering import Account


def accounted(
    data: container.Buffer, index: container.Index, model: ModelLike, with_costs: bool
) -> Accounted:
    """Decode every tile of a file and account for its bits; a JPEG is restored, and has no account.

    with_costs: also measure the bits of every pixel. Raises FormatError on damage and
    ModelNotFoundError.

    Examples:
        >>> from bbans.files.encoder import compress
        >>> data = compress(np.zeros((8, 8), np.uint8), model="none")
        >>> accounted(data, container.read_index(data), None, with_costs=False).model_name is None
        True
    """
    if index.jpeg is not None:
        jpeg.restored(data, index)  # as other files are decoded
    with all_threads():
        context = context_of_file(index, model)
        name = None if context.model is None else context.model.name
        if index.jpeg is not None:
            return Accounted(model_name=name)
        header = index.header
        pixel_format = container.FORMATS[header.pixel_format]
        account, ideal = Account(), 0.0
        shares: list[tiles.Share] = []
        bits = np.zeros((header.height, header.width) if with_costs else (0, 0))
        rectangles = container.tile_rectangles(
            header.width, header.height, header.tile_width, header.tile_height
        )
        for number, (top, left, rows, columns) in enumerate(rectangles):
            record = container.read_tile(data, index, number)
            if with_costs:
                pixels, accounts, cost = tiles.measured_tile(
                    record, (rows, columns), pixel_format, context
                )
                bits[top : top + rows, left : left + columns] = cost.bits
                shares += cost.shares
            else:
                pixels, accounts = tiles.decode_tile(record, (rows, columns), pixel_format, context)
            account = sum(accounts, account)
            samples = pixels.reshape(rows, columns, -1)
            ideal += tiles.ideal_bits(record, samples, pixel_format, context, IDEAL_DRAWS)
        costs = tiles.Costs(bits, tiles.together(shares)) if with_costs else None
        return Accounted(account, ideal, costs, name)
