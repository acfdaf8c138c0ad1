"""Files of weights: where their tensors lie. Nothing of a file is ever run or unpickled."""
