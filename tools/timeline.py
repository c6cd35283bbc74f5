"""The demo's live timeline: journal lines of agent and centre, and what happens to them, as sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.rule import Rule

from protocol.geo import E7, position_of
from protocol.words import KINDS, PHASE_NAMES
from sim.site import Heard

from .locale import language, say

HOME, GATEWAY, CENTRE, TROUBLE = "home", "gateway", "centre", "trouble"

RIPE_MS: Final = 200  # how long a line waits for earlier ones of the other journal

# actor: (English, Chinese, colour); the names are padded by hand: a Chinese character takes two columns
_ACTORS: Final = {
    HOME: ("home   ", "家中", "cyan"),
    GATEWAY: ("gateway", "网关", "green"),
    CENTRE: ("centre ", "中心", "magenta"),
    TROUBLE: ("trouble", "破坏", "red"),
}


def kind_name(kind: str) -> str:
    """What people call this kind, in their language."""
    _, en, zh = KINDS.get(kind, ("", kind, kind))
    return say(en, zh)


def short(event_id: str) -> str:
    """An event id for a narrow screen: the last digits of its epoch, and its sequence."""
    epoch, _, sequence = event_id.partition("-")
    return f"{epoch[-4:]}-{sequence}"


def phase_name(phase: str) -> str:
    return PHASE_NAMES[phase][1 if language() == "zh" else 0]


class Timeline:
    """Prints one line for each thing that a person would want to see, as it happens."""

    def __init__(self, console: Console, mono_ms: Callable[[], int]):
        """`mono_ms` is the clock of what is told: in a faster simulation it runs faster."""
        self._console = console
        self._mono_ms = mono_ms
        self._began_ms = mono_ms()
        self._told = 0
        self._up: bool | None = None  # the uplink, as last told

    def scene(self, en: str, zh: str) -> None:
        self._console.print(Rule(f"[bold]{escape(say(en, zh))}", align="left", characters="─"))

    def line(self, actor: str, text: str, style: str = "", at_ms: int | None = None) -> None:
        """One line; `at_ms` is when it happened, if not now."""
        name_en, name_zh, colour = _ACTORS[actor]
        elapsed = f"{((self._mono_ms() if at_ms is None else at_ms) - self._began_ms) / 1000:6.1f} s"
        self._console.print(f"[dim]{elapsed}[/]  [{colour}]{say(name_en, name_zh)}[/]  ", end="")
        self._console.print(escape(text), style=style, highlight=False)

    def follow(self, heard: list[Heard], to_the_end: bool = False) -> None:
        """Tell what has been heard since the last call, in the order in which it happened: agent and centre are heard
        through pipes of their own, so the last lines wait a moment for what came before them (not `to_the_end`)."""
        ripe_ms = self._mono_ms() - (0 if to_the_end else RIPE_MS)
        fresh = [entry for entry in heard[self._told :] if entry.mono_ms <= ripe_ms]
        self._told += len(fresh)
        for entry in sorted(fresh, key=lambda entry: int(entry.line.fields.get("t", 0))):
            if entry.line.what == "uplink":
                before, self._up = self._up, entry.line.fields["up"]
                if before == self._up:
                    continue  # down for another reason: no news for a spectator
            if sentence := _sentence(entry.name, entry.line.what, entry.line.fields):
                self.line(GATEWAY if entry.name == "agent" else CENTRE, *sentence, at_ms=entry.mono_ms)


def _sentence(name: str, what: str, fields: Mapping[str, Any]) -> tuple[str, str] | None:
    """The sentence for this line of a journal, with its style; None for what would only clutter the picture."""
    found = _SENTENCES.get((name, what))
    return found(fields) if found else None


def _raised(fields: Mapping[str, Any]) -> tuple[str, str]:
    marks = "".join(f" [{flag}]" for flag in fields["flags"])
    evidence = ", ".join(filter(None, (_evidence(key, value) for key, value in fields["evidence"].items())))
    where = " ".join(part for part in (fields["room"], fields["terminal"], _place(fields["position"])) if part)
    text = f"{kind_name(fields['kind'])} · {phase_name(fields['phase'])} · {where}{marks}"
    return text + (f" ({evidence})" if evidence else ""), "bold"


def _place(values: list[int] | None) -> str:
    """Where it is, in degrees, and how old that is."""
    position = position_of(values)
    if position is None:
        return ""
    latitude, longitude = position.latitude_e7 / E7, position.longitude_e7 / E7
    age_s = position.age_ms // 1000
    return say(
        f"at {latitude:.5f}, {longitude:.5f}, {age_s} s old", f"位于 {latitude:.5f}，{longitude:.5f}，{age_s} 秒前"
    )


def _evidence(name: str, value: int) -> str:
    match name:
        case "obscuration_mdb_m":
            return f"{value / 1000:.2f} dB/m"
        case "presses":
            return "" if value == 1 else say(f"press {value}", f"第 {value} 次按下")
        case "silent_s":
            return say(f"silent for {value} s", f"失联 {value} 秒")
        case _:
            return f"{name} {value}"


def _ids(fields: Mapping[str, Any]) -> str:
    return ", ".join(short(event_id) for event_id in fields["ids"])


def _sent(fields: Mapping[str, Any]) -> tuple[str, str]:
    again = "" if fields["attempt"] == 1 else say(f" (attempt {fields['attempt']})", f"（第 {fields['attempt']} 次）")
    text = f"{short(fields['id'])}{again}"
    return say(f"signed and sent, not waiting for the disk: {text}", f"已签名并发出，不等磁盘：{text}"), "dim"


def _uplink(fields: Mapping[str, Any]) -> tuple[str, str]:
    if fields["up"]:
        return say("connected to the broker over TLS", "已通过 TLS 连上消息服务器"), ""
    return say("the broker is gone; alarms wait on disk", "与消息服务器断开；报警留存在磁盘"), "yellow"


def _incident(fields: Mapping[str, Any]) -> tuple[str, str] | None:
    kind, number = kind_name(str(fields.get("kind", ""))), fields["id"]
    match fields["change"]:
        case "opened" if fields.get("severity") == "life":
            text = say(
                f"incident {number} on the desk: {kind}; the 18 minutes to the door begin",
                f"警情 {number}：{kind}；18 分钟到门倒计时开始",
            )
            return text, "bold"
        case "opened":
            return say(f"incident {number} on the desk: {kind}", f"警情 {number}：{kind}"), "bold"
        case "updated":
            return say(f"incident {number}: {kind} once more", f"警情 {number}：{kind}再次触发"), ""
        case "restored":
            return say(f"incident {number}: {kind} restored", f"警情 {number}：{kind}已恢复"), ""
    return None


def _refused(fields: Mapping[str, Any]) -> tuple[str, str]:
    reason = say("wrong signature", "签名不符") if fields["reason"] == "signature" else fields["reason"]
    count = fields["count"]
    return say(f"refused, {reason}: {count}", f"拒收，{reason}：{count} 条"), "bold red"


def _error(fields: Mapping[str, Any]) -> tuple[str, str]:
    return say("AN ERROR IN THE PROGRAM: ", "程序出错：") + fields["trace"], "bold red"


_SENTENCES: Final[dict[tuple[str, str], Callable[[Mapping[str, Any]], tuple[str, str] | None]]] = {
    ("agent", "ready"): lambda f: (
        say(f"ready in {f['start_ms']} ms (epoch {f['epoch']})", f"{f['start_ms']} 毫秒就绪（世代 {f['epoch']}）"),
        "",
    ),
    ("agent", "uplink"): _uplink,
    ("agent", "raised"): _raised,
    ("agent", "siren"): lambda f: (
        say(f"SIREN {f['state'].upper()}", "警号响起" if f["state"] == "on" else "警号停止"),
        "bold",
    ),
    ("agent", "tell"): lambda f: (say("to the resident: ", "告知住户：") + f"“{f['text']}”", "italic"),
    ("agent", "sent"): _sent,
    ("agent", "committed"): lambda f: (say(f"safe on disk: {_ids(f)}", f"已写入磁盘：{_ids(f)}"), "dim"),
    ("agent", "acknowledged"): lambda f: (
        say(f"told {f['terminal']}: your event is safe", f"告知 {f['terminal']}：事件已安全"),
        "dim",
    ),
    ("agent", "receipted"): lambda f: (
        say(f"the centre's signed receipt: {_ids(f)}", f"收到中心签名回执：{_ids(f)}"),
        "",
    ),
    ("agent", "error"): _error,
    ("centre", "ready"): lambda f: (say("ready", "就绪"), ""),
    ("centre", "incident"): _incident,
    ("centre", "repeat"): lambda f: (
        say(f"a repeat of {short(f['stored'])}: absorbed", f"{short(f['stored'])} 的重复：已并入"),
        "",
    ),
    ("centre", "refused"): _refused,
}
