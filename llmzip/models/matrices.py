"""A pack's matrices as numbers, for evaluation in other ways than the engine's; FORMAT.md, 10.1."""

from __future__ import annotations

from llmzip.models.pack import GROUP, PANEL, RUN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

    Doubles = NDArray[float64]

KINDS = ("q8", "q4")


def integers(kind: str, data: memoryview, rows: int, inputs: int) -> Doubles:
    """The integer weights of a matrix of one of `KINDS`, rows x inputs, as doubles."""
    import numpy as np

    read = _nibbles if kind == "q4" else _bytes
    return np.ascontiguousarray(read(data, -(-rows // PANEL), inputs)[:rows])


def _bytes(data: memoryview, panels: int, inputs: int) -> Doubles:
    import numpy as np

    count = panels * PANEL * inputs
    weights = np.frombuffer(data[:count], np.int8).reshape(panels, inputs // 4, PANEL, 4)
    scales = np.frombuffer(data[count:], "<u2").reshape(panels, inputs // GROUP, PANEL)
    wide: Doubles = weights.transpose(0, 2, 1, 3).reshape(-1, inputs).astype(np.float64)
    wide *= scales.transpose(0, 2, 1).reshape(-1, inputs // GROUP).repeat(GROUP, axis=1)
    return wide


def _nibbles(data: memoryview, panels: int, inputs: int) -> Doubles:
    import numpy as np

    runs = np.frombuffer(data, np.uint8).reshape(panels, inputs // RUN, -1)
    fours = runs[:, :, : PANEL * RUN // 2].reshape(panels, inputs // RUN, 4, PANEL, 4)
    both = np.stack([fours & 15, fours >> 4], axis=3)
    wide: Doubles = both.transpose(0, 4, 1, 2, 3, 5).reshape(-1, inputs).astype(np.float64)
    lines = np.ascontiguousarray(runs[:, :, PANEL * RUN // 2 :]).view("<i2")
    lines = lines.reshape(panels, -1, PANEL, 2).transpose(3, 0, 2, 1).reshape(2, len(wide), -1)
    steps, bases = lines.repeat(RUN, axis=2)
    wide *= steps
    wide += bases
    return wide
