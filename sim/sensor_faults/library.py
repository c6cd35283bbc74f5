"""The library: every kind of sensor fault by name, the parameters of its five strengths, and drawing one by chance."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, Final

from devices.flood import SHORT_US, WET_US
from devices.gas import ALARM_PML, RANGE_MAX_PML
from devices.smoke import ALARM_MDB_M, RANGE_MAX_MDB_M
from sim.sensor_faults.calibration import (
    DAY_MS,
    Contamination,
    DriftLinear,
    DriftPolynomial,
    Gain,
    LowBatterySag,
    Offset,
    SlowResponse,
)
from sim.sensor_faults.fault import Fault, Sensor
from sim.sensor_faults.readings import (
    Chatter,
    Clipping,
    HighNoise,
    Outlier,
    OutOfRange,
    Spike,
    StuckAt,
    StuckButton,
    WornContact,
)

SMOKE: Final = Sensor("mdB/m", span=ALARM_MDB_M, least=0, most=RANGE_MAX_MDB_M)
GAS: Final = Sensor("‰ LEL", span=ALARM_PML, least=0, most=RANGE_MAX_PML)
WATER: Final = Sensor("µS", span=WET_US, least=0, most=SHORT_US)
CONTACT: Final = Sensor("", span=1, least=0, most=1, contact=True)

# kind: what people call it in English and Chinese
NAMES: Final[dict[str, tuple[str, str]]] = {
    "outlier": ("outlier", "离群值"),
    "spike": ("spike", "尖峰"),
    "stuck_at": ("stuck", "读数卡死"),
    "high_noise": ("high noise", "强噪声"),
    "offset": ("offset", "偏移"),
    "gain": ("gain", "增益误差"),
    "drift_linear": ("linear drift", "线性漂移"),
    "drift_polynomial": ("polynomial drift", "多项式漂移"),
    "clipping": ("clipping", "削顶"),
    "out_of_range": ("out of range", "超出量程"),
    "slow_response": ("slow response", "响应迟缓"),
    "low_battery_sag": ("low battery sag", "电量不足失准"),
    "contamination": ("contamination", "迷宫积尘"),
    "chatter": ("chatter", "抖动"),
    "stuck_button": ("stuck button", "按钮卡住"),
}
HEALED: Final = "none"  # what a case says for the fault that is over
STRENGTHS: Final = range(1, 6)  # from hardly there to hopeless

_S, _MIN, _H = 1000, 60_000, 3_600_000
_EVER: Final = None
# kind: its model, and each parameter at the five strengths, or one for all of them. Of an analogue sensor:
_ANALOGUE: Final[dict[str, tuple[type[Fault], Mapping[str, Any]]]] = {
    "outlier": (Outlier, {"magnitude": (1, 2, 4, 8, 16), "share": (0.002, 0.005, 0.01, 0.02, 0.05), "slot_ms": _S}),
    "spike": (Spike, {"height": (1, 2, 4, 8, 16), "lasts_ms": (_S, 2 * _S, 3 * _S, 5 * _S, 10 * _S), "every_ms": _MIN}),
    "stuck_at": (StuckAt, {"lasts_ms": (_MIN, 10 * _MIN, _H, 6 * _H, _EVER)}),
    "high_noise": (HighNoise, {"sigma": (0.02, 0.1, 0.3, 1, 3)}),
    "offset": (Offset, {"offset": (0.1, 0.25, 0.5, 1, 2)}),
    "gain": (Gain, {"factor": (1.1, 1.33, 2, 4, 10)}),
    "drift_linear": (DriftLinear, {"per_day": (0.01, 0.05, 0.2, 1, 5), "total": 4}),
    "drift_polynomial": (
        DriftPolynomial,
        {
            "total": (0.25, 0.5, 1, 2, 4),
            "over_ms": (30 * DAY_MS, 14 * DAY_MS, 7 * DAY_MS, DAY_MS, 6 * _H),
            "sigma": (0.01, 0.02, 0.05, 0.1, 0.3),
        },
    ),
    "clipping": (Clipping, {"ceiling": (20, 4, 1.5, 0.9, 0.3)}),
    "out_of_range": (OutOfRange, {"share": (0.01, 0.05, 0.2, 0.6, 1), "slot_ms": _S}),
    "slow_response": (SlowResponse, {"tau_ms": (2 * _S, 10 * _S, 30 * _S, 2 * _MIN, 10 * _MIN)}),
    "low_battery_sag": (
        LowBatterySag,
        {
            "sag": (0.05, 0.1, 0.2, 0.4, 0.7),
            "over_ms": (DAY_MS, 6 * _H, _H, 10 * _MIN, _MIN),
            "sigma": (0.01, 0.03, 0.1, 0.2, 0.4),
        },
    ),
    "contamination": (
        Contamination,
        {
            "baseline": (0.05, 0.15, 0.3, 0.6, 1.2),
            "sensitivity": (0.02, 0.05, 0.1, 0.2, 0.4),
            "over_ms": (365 * DAY_MS, 180 * DAY_MS, 90 * DAY_MS, 30 * DAY_MS, 7 * DAY_MS),
        },
    ),
    "chatter": (Chatter, {"amplitude": (0.05, 0.15, 0.3, 0.6, 1), "slot_ms": 2 * _S}),
}
# Of a contact:
_CONTACT: Final[dict[str, tuple[type[Fault], Mapping[str, Any]]]] = {
    "chatter": (WornContact, {"share": (0.02, 0.05, 0.1, 0.2, 0.4), "slot_ms": 5}),
    "stuck_button": (StuckButton, {"lasts_ms": (5 * _S, 15 * _S, _MIN, 10 * _MIN, _EVER)}),
}
# Parameters that are sizes, in spans of the sensor; and those that can go either way.
_SIZES: Final = frozenset(
    ("magnitude", "height", "sigma", "offset", "per_day", "total", "ceiling", "amplitude", "baseline")
)
_SIGNED: Final = frozenset(("height", "offset", "per_day", "total"))


def kinds_of(sensor: Sensor) -> tuple[str, ...]:
    """The kinds that this sensor can have."""
    return tuple(_CONTACT if sensor.contact else _ANALOGUE)


def made(kind: str, strength: int, sensor: Sensor, sign: int = 1) -> Fault:
    """The fault of this kind, at a strength of STRENGTHS; 0 is none. `sign` is +1 or -1: which way it goes, where it
    can go both ways (out_of_range: which end). Raises KeyError for a kind that the sensor cannot have."""
    if strength == 0:
        return Fault()
    model, table = (_CONTACT if sensor.contact else _ANALOGUE)[kind]
    values: dict[str, Any] = {"least": sensor.least, "most": sensor.most}
    for name, column in table.items():
        value = column[strength - 1] if isinstance(column, tuple) else column
        if name in _SIZES:
            value *= sensor.span
        values[name] = value * sign if name in _SIGNED else value
    if kind == "gain":
        values["factor"] **= sign
    if kind == "out_of_range":  # one beyond the end: what a sensor that does not answer is read as
        values["reading"] = sensor.most + 1 if sign > 0 else sensor.least - 1
    return model(**values)


def draw(random: Random, sensor: Sensor, kind: str | None = None) -> Fault:
    """Any fault that the sensor can have, or any of `kind`: strength and direction by chance."""
    chosen = random.choice(kinds_of(sensor)) if kind is None else kind
    return made(chosen, random.choice(STRENGTHS), sensor, random.choice((1, -1)))
