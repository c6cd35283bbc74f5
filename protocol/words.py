"""The words of the kit: kinds, phases and severities with their names in Chinese and English."""

from __future__ import annotations

from typing import Final

LIFE: Final = "life"
PROPERTY: Final = "property"
TROUBLE: Final = "trouble"
SEVERITIES: Final = (LIFE, PROPERTY, TROUBLE)  # in order of precedence on every queue

RAISED: Final = "raised"
UPDATED: Final = "updated"
RESTORED: Final = "restored"
TEST: Final = "test"
PHASES: Final = (RAISED, UPDATED, RESTORED, TEST)

UNVERIFIED: Final = "unverified"  # authenticity in doubt: call back before anyone is sent
UNSTORED: Final = "unstored"  # the gateway could not write its disk when it was raised

# kind: (severity, English, Chinese)
KINDS: Final[dict[str, tuple[str, str, str]]] = {
    "smoke": (LIFE, "smoke", "烟雾"),
    "gas": (LIFE, "gas", "燃气泄漏"),
    "flood": (PROPERTY, "flood", "漏水"),
    "inactivity": (LIFE, "no sign of life", "长时间无活动"),
    "button": (LIFE, "emergency call", "紧急呼叫"),
    "bracelet_sos": (LIFE, "bracelet SOS", "手环求救"),
    "bracelet_fall": (LIFE, "fall", "跌倒"),
    "fence_exit": (LIFE, "left the safe area", "离开安全区域"),
    "fence_enter": (TROUBLE, "back in the safe area", "回到安全区域"),
    "bracelet_removed": (TROUBLE, "bracelet taken off", "手环摘下"),
    "position_stale": (TROUBLE, "position out of date", "位置过期"),
    "tamper": (TROUBLE, "tamper", "防拆报警"),
    "battery_low": (TROUBLE, "battery low", "电量低"),
    "terminal_silent": (TROUBLE, "terminal silent", "终端失联"),
    "sensor_fault": (TROUBLE, "sensor fault", "传感器故障"),
    "not_enrolled": (TROUBLE, "not enrolled", "未注册"),
    "mains_lost": (TROUBLE, "mains power lost", "市电中断"),
    "backup_low": (TROUBLE, "backup battery low", "备用电池电量低"),
    "clock_unset": (TROUBLE, "clock not set", "时钟未校准"),
    "storage_fault": (TROUBLE, "storage fault", "存储故障"),
    "uplink_lost": (TROUBLE, "link to the centre lost", "与中心断开"),
    "gateway_lost": (TROUBLE, "gateway lost", "网关失联"),
    "security": (TROUBLE, "security", "安全事件"),
}
LAPSING: Final = frozenset({"button", "bracelet_sos", "bracelet_fall"})  # kinds that have no end of their own
# What terminals sense that raises nothing: signs of life, which stay at the gateway. kind: (English, Chinese)
SIGNS: Final[dict[str, tuple[str, str]]] = {"motion": ("motion", "活动"), "door": ("door", "门")}
PHASE_NAMES: Final[dict[str, tuple[str, str]]] = {
    RAISED: ("raised", "报警"),
    UPDATED: ("updated", "更新"),
    RESTORED: ("restored", "恢复"),
    TEST: ("test", "测试"),
}


def severity_of(kind: str) -> str:
    """The severity of `kind`; a kind nobody here knows counts as life, so that doubt never silences it."""
    known = KINDS.get(kind)
    return known[0] if known else LIFE


class Told(Exception):
    """An error for a person, in English and Chinese: what is wrong, where, and what to do."""

    def __init__(self, en: str, zh: str):
        super().__init__(en)
        self.en = en
        self.zh = zh

    def __reduce__(self) -> tuple[type[Told], tuple[str, str]]:
        return type(self), (self.en, self.zh)  # an exception is pickled by its `args`, which are the English alone

    def text(self, language: str) -> str:
        """The message in `language`: "zh" or anything else for English."""
        return self.zh if language == "zh" else self.en


class Unavailable(Told):
    """An error of the environment, not of usage: something that this machine lacks or refuses."""
