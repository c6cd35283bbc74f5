"""Strict reading of configuration in TOML: every key typed, bounded and taken once, none left over."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from protocol.words import Told

_MISSING: Final[Any] = object()
_NAMES: Final[dict[type, tuple[str, str]]] = {
    str: ("a text", "文本"),
    int: ("a whole number", "整数"),
    float: ("a number", "数"),
    bool: ("true or false", "true 或 false"),
    list: ("a list", "列表"),
    dict: ("a table", "表"),
}


class Table:
    """One table of a parsed TOML file. Each method takes a key out of it, or raises Told: the file, the key, the
    value that was found, and what is allowed."""

    def __init__(self, values: Mapping[str, Any], where: str, path: str = ""):
        self._left = dict(values)
        self._where = where
        self._path = path

    @classmethod
    def parsed(cls, data: bytes, where: str, bytes_max: int) -> Table:
        """The whole of the file that holds `data`, called `where` in errors. Raises Told where it is too long or not
        TOML."""
        if len(data) > bytes_max:
            raise Told(f"{where}: longer than {bytes_max} bytes", f"{where}：超过 {bytes_max} 字节")
        try:
            values = tomllib.loads(data.decode())
        except (ValueError, RecursionError) as error:  # ValueError: also of a number with too many digits
            raise Told(f"{where}: not TOML: {error}", f"{where}：不是有效的 TOML：{error}") from error
        return cls(values, where)

    def text(self, key: str, default: str = _MISSING, pattern: str | None = None) -> str:
        value: str = self._take(key, str, default)
        if pattern is not None and not re.fullmatch(pattern, value):
            raise self.wrong(key, value, f"a text like {pattern}", f"形如 {pattern} 的文本")
        return value

    def choice(self, key: str, allowed: Sequence[str], default: str = _MISSING) -> str:
        value: str = self._take(key, str, default)
        if value not in allowed:
            raise self.wrong(key, value, "one of " + ", ".join(allowed), "以下之一：" + "、".join(allowed))
        return value

    def number(self, key: str, least: int, most: int, default: int = _MISSING) -> int:
        value: int = self._take(key, int, default)
        if not least <= value <= most:
            raise self.wrong(key, value, f"a whole number from {least} to {most}", f"{least} 到 {most} 的整数")
        return value

    def real(self, key: str, least: float, most: float) -> float:
        """A number with or without a fraction."""
        kind = int if type(self.peek(key)) is int else float
        value: float = self._take(key, kind, _MISSING)
        if not least <= value <= most:  # nan is not
            raise self.wrong(key, value, f"a number from {least} to {most}", f"{least} 到 {most} 的数")
        return value

    def number_or_none(self, key: str, least: int, most: int) -> int | None:
        return self.number(key, least, most) if key in self._left else None

    def flag(self, key: str, default: bool = _MISSING) -> bool:
        value: bool = self._take(key, bool, default)
        return value

    def texts(self, key: str, default: Sequence[str] = _MISSING) -> tuple[str, ...]:
        values: Sequence[Any] = self._take(key, list, default)
        if not all(isinstance(value, str) for value in values):
            raise self.wrong(key, values, "a list of texts", "文本列表")
        return tuple(values)

    def address(self, key: str, default: str, port_least: int = 1) -> tuple[str, int]:
        """A host and a port, such as "localhost:8883"."""
        return self._address(key, self.text(key, default), port_least)

    def addresses(self, key: str) -> tuple[tuple[str, int], ...]:
        """At least one host and port; a single one needs no list."""
        texts = (self.text(key),) if isinstance(self.peek(key), str) else self.texts(key)
        if not texts:
            raise self.wrong(key, [], 'at least one "host:port"', "至少一个 “主机:端口”")
        return tuple(self._address(key, text, 1) for text in texts)

    def table(self, key: str, default: Mapping[str, Any] = _MISSING) -> Table:
        return Table(self._take(key, dict, default), self._where, self._name(key) + ".")

    def tables(self, key: str, default: Sequence[Mapping[str, Any]] = _MISSING) -> list[Table]:
        values: Sequence[Any] = self._take(key, list, default)
        if not all(isinstance(value, dict) for value in values):
            raise self.wrong(key, values, f"tables, each begun by [[{key}]]", f"若干以 [[{key}]] 开头的表")
        return [Table(value, self._where, f"{self._name(key)}[{n}].") for n, value in enumerate(values, 1)]

    def left(self) -> tuple[str, ...]:
        """The keys not yet taken, for tables whose keys are names."""
        return tuple(self._left)

    def peek(self, key: str) -> Any:
        """The value of `key`, of whatever type, which is not taken by this; None where there is none."""
        return self._left.get(key)

    def finish(self) -> None:
        """Raises Told where a key is left that nobody asked for."""
        for key in self._left:
            name = self._name(key)
            raise Told(f"{self._where}: unknown key {name}", f"{self._where}：未知的键 {name}")

    def wrong(self, key: str, value: object, en: str, zh: str) -> Told:
        """The error for a `value` that is not what `en` and `zh` say is allowed."""
        shown, name = _shown(value), self._name(key)
        return Told(
            f"{self._where}: {name} is {shown}; allowed: {en}",
            f"{self._where}：{name} 的值为 {shown}；允许：{zh}",
        )

    def _name(self, key: str) -> str:
        return f"{self._path}{key}"

    def _address(self, key: str, text: str, port_least: int) -> tuple[str, int]:
        address = host_and_port(text, port_least)
        if address is None:
            raise self.wrong(
                key, text, '"host:port", such as "broker.example:8883"', "“主机:端口”，如 “broker.example:8883”"
            )
        return address

    def _take(self, key: str, kind: type, default: Any) -> Any:
        en, zh = _NAMES[kind]
        if key not in self._left:
            if default is not _MISSING:
                return default
            name = self._name(key)
            raise Told(f"{self._where}: {name} is missing; it takes {en}", f"{self._where}：缺少 {name}；应为{zh}")
        value = self._left.pop(key)
        if type(value) is not kind:  # bool is an int to isinstance
            raise self.wrong(key, value, en, zh)
        return value


def host_and_port(text: str, port_least: int = 1) -> tuple[str, int] | None:
    """The two parts of "broker.example:8883", or of "[fd00::1]:8883" without the brackets; None for anything else."""
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (bare and port.isascii() and port.isdigit() and port_least <= int(port[:6]) <= 65535):
        return None
    return bare, int(port)


def _shown(value: object) -> str:
    try:
        return repr(value)[:80]
    except (ValueError, RecursionError):  # a number with too many digits, a list too deep
        return "…"
