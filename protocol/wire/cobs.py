"""Consistent Overhead Byte Stuffing: any bytes as bytes without a zero, so that a zero can delimit frames.

Source: S. Cheshire and M. Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7(2), 1999.
"""

_RUN_MAX = 254  # bytes other than zero that one code byte can lead; its code, 255, implies no zero after them


def encode(data: bytes) -> bytes:
    """`data` without zeros; longer by one byte, and by one more for each full 254."""
    coded = b""
    while True:
        out = bytearray(b"\0" + data)  # each zero, and the one in front, makes place for a code byte
        place = 0
        for run in data.split(b"\0"):
            code = len(run) + 1
            if code > _RUN_MAX:  # the run goes to its limit, and what follows it begins anew
                code = _RUN_MAX + 1
                out[place] = code
                place += code
                break
            out[place] = code
            place += code
        coded += out[:place]
        data = data[place - 1 :]
        if not data:
            return coded


def decode(data: bytes) -> bytes | None:
    """What `encode` was given; None where `data` cannot come from it (a zero inside, a run cut short, nothing)."""
    if not data or 0 in data:
        return None
    out = bytearray(data)  # each code byte but the first makes place for a zero
    plain, begin, place, end = b"", 1, 0, len(data)
    while place < end:
        code = data[place]
        out[place] = 0
        place += code
        if code > _RUN_MAX:  # no zero here, so the code byte that follows goes
            plain += out[begin:place]
            begin = place + 1
    return plain + out[begin:] if place == end else None
