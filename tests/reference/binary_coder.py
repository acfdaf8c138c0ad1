"""Binary arithmetic coder: FORMAT.md, section 6."""

from .errors import CorruptError

MAX = 2**64 - 1


class Encoder:
    def __init__(self) -> None:
        self.low = 0
        self.high = MAX
        self.out = bytearray()

    def encode(self, bit: bool, p: int) -> None:
        """Codes `bit`; `p` is the probability of a one in units of 2^-32, 1 to 2^32 - 1."""
        mid = self.low + (self.high - self.low) * p // 2**32
        if bit:
            self.high = mid
        else:
            self.low = mid + 1
        while self.low >> 56 == self.high >> 56:
            self.out.append(self.low >> 56)
            self.low = self.low * 256 & MAX
            self.high = (self.high * 256 & MAX) + 255

    def finish(self) -> bytes:
        for kept in range(9):
            unit = 2 ** (64 - 8 * kept)
            value = self.high // unit * unit
            if value >= self.low:
                break
        return (bytes(self.out) + value.to_bytes(8, "big")).rstrip(b"\0")


class Decoder:
    def __init__(self, data: bytes) -> None:
        self.low = 0
        self.high = MAX
        self.data = data
        self.window = int.from_bytes(data[:8].ljust(8, b"\0"), "big")
        self.used = 8

    def decode(self, p: int) -> bool:
        """Decodes a bit that was coded with the probability `p`."""
        mid = self.low + (self.high - self.low) * p // 2**32
        bit = self.window <= mid
        if bit:
            self.high = mid
        else:
            self.low = mid + 1
        while self.low >> 56 == self.high >> 56:
            self.low = self.low * 256 & MAX
            self.high = (self.high * 256 & MAX) + 255
            byte = self.data[self.used] if self.used < len(self.data) else 0
            self.window = (self.window * 256 & MAX) + byte
            self.used += 1
        return bit

    def finish(self) -> None:
        if self.used < len(self.data):
            raise CorruptError("bytes are left over in a coded chunk")
