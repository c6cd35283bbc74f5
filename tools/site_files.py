"""The files of a site: each made once and whole, never overwritten by accident, found out when broken."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from protocol.words import Told


class Files:
    """The files below `folder`, by their relative names; `made` lists those that were written."""

    def __init__(self, folder: Path):
        self.made: list[str] = []
        self._folder = folder

    def copy(self, source: str, name: str) -> None:
        """Makes `name` the same as `source`; raises Told where it is there and differs."""
        content = self.path(source).read_bytes()
        if self.put(name, lambda: content) != content:
            raise Told(
                f"{self.path(name)} differs from {source}: this folder mixes two sites; move one of them away",
                f"{self.path(name)} 与 {source} 不一致：该文件夹混有两个站点；请移走其中之一",
            )

    def put_text(self, name: str, make: Callable[[], str]) -> None:
        """Makes the text file `name` where it is missing."""
        self.put(name, lambda: make().encode())

    def put(self, name: str, make: Callable[[], bytes], secret: bool = False) -> bytes:
        """What the file `name` holds; it is made where missing, whole or not at all."""
        if self.path(name).exists():
            return self.path(name).read_bytes()
        with self.key_errors(name):
            content = make()
        self.write(name, content, secret)
        return content

    def append(self, name: str, text: str, secret: bool = False) -> None:
        """Adds `text` to the file `name`, or leaves it as it was."""
        self.write(name, self.path(name).read_bytes() + text.encode(), secret)

    def write(self, name: str, content: bytes, secret: bool = False) -> None:
        """Puts `content` in place of what the file `name` holds, whole or not at all."""
        path = self.path(name)
        _make_folder(path.parent)
        beside = path.with_name(f".{path.name}.new")
        beside.unlink(missing_ok=True)  # of a run that was interrupted
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        beside.replace(path)
        if name not in self.made:
            self.made.append(name)

    def toml(self, name: str) -> dict[str, Any]:
        """What the TOML file `name` says; raises Told where it is none."""
        try:
            return tomllib.loads(self.path(name).read_bytes().decode())
        except ValueError as error:
            raise self.broken(name, str(error)) from error

    @contextmanager
    def key_errors(self, name: str) -> Iterator[None]:
        """Turns what a broken key makes the library raise into Told."""
        try:
            yield
        except (ValueError, TypeError) as error:
            raise self.broken(f"the key of {name}", str(error)) from error

    def broken(self, name: str, detail: str) -> Told:
        """The error for a file that cannot be used."""
        return Told(
            f"{self._folder}/{name} is broken ({detail}); mend it, or move it away to have a new one made",
            f"{self._folder}/{name} 已损坏（{detail}）；请修复，或移走后重新生成",
        )

    def path(self, name: str) -> Path:
        """Where the file `name` is."""
        return self._folder / name


def _make_folder(path: Path) -> None:
    """Each folder that is missing, for the owner alone; Path.mkdir gives parents the usual mode."""
    if not path.exists():
        _make_folder(path.parent)
        path.mkdir(mode=0o700)
