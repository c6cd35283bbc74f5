"""Consistent Overhead Byte Stuffing: any bytes as bytes without a zero, so that a zero can delimit frames.

Source: S. Cheshire and M. Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7(2), 1999.
"""

_RUN_MAX = 254  # bytes other than zero that one code byte can lead; its code, 255, implies no zero after them


def encode(data: bytes) -> bytes:
    """`data` without zeros; longer by one byte, and by one more for each full 254."""
    out = bytearray()
    run = bytearray()
    full = False  # the last run ended at its limit, so nothing needs to follow it
    for byte in data:
        full = False
        if byte:
            run.append(byte)
        if not byte or len(run) == _RUN_MAX:
            out.append(len(run) + 1)
            out.extend(run)
            run = bytearray()
            full = byte != 0
    if not full:
        out.append(len(run) + 1)
        out.extend(run)
    return bytes(out)


def decode(data: bytes) -> bytes | None:
    """What `encode` was given; None where `data` cannot come from it (a zero inside, a run cut short, nothing)."""
    if not data or 0 in data:
        return None
    out = bytearray()
    place = 0
    while place < len(data):
        code = data[place]
        end = place + code
        if end > len(data):
            return None
        out.extend(data[place + 1 : end])
        if code <= _RUN_MAX and end < len(data):
            out.append(0)
        place = end
    return bytes(out)
