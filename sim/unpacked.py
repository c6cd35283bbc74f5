"""The bytes of a recorded file, packed with gzip or not, within a bound."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Final

from protocol.words import Told

FILE_BYTES_MAX: Final = 64 * 2**20  # unpacked; a day of a receiver's ten sentences a second has some 50 MB


def unpacked(path: Path) -> bytes:
    """What is in the file. Raises Told where it cannot be read, or is longer than FILE_BYTES_MAX."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data: bytes = file.read(FILE_BYTES_MAX + 1)
    except (OSError, EOFError) as error:
        raise Told(f"{path} cannot be read: {error}", f"无法读取 {path}：{error}") from error
    if len(data) > FILE_BYTES_MAX:
        raise Told(f"{path} is longer than {FILE_BYTES_MAX} bytes.", f"{path} 超过 {FILE_BYTES_MAX} 字节。")
    return data
