"""The words of a report in English and Chinese: its own, and those that stories are told in, with their colours."""

from __future__ import annotations

from typing import Final

from protocol.words import KINDS, PHASE_NAMES
from sim.sensor_faults.library import NAMES as SENSOR_FAULTS

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "good": ("As it must be", "符合预期"),
    "bad": ("Not as it must be: {n} differences", "不符合预期：{n} 处差异"),
    "bad_one": ("Not as it must be: 1 difference", "不符合预期：1 处差异"),
    "seed": ("seed", "种子"),
    "lasts": ("lasts", "时长"),
    "began": ("began", "开始于"),
    "replay": ("To play it again", "重现命令"),
    "counts": ("Counts", "计数"),
    "timeline": ("Timeline", "时间线"),
    "hint": (
        "Drag to move, Ctrl and wheel to zoom; click a mark to follow its event.",
        "拖动可平移，Ctrl 加滚轮可缩放；点击标记可追踪该事件。",
    ),
    "closer": ("Zoom in", "放大"),
    "wider": ("Zoom out", "缩小"),
    "earlier": ("Earlier", "向前"),
    "later": ("Later", "向后"),
    "all": ("All", "全部"),
    "faults": ("Faults", "故障"),
    "entries": ("What happened", "事件记录"),
    "find": ("Find", "查找"),
    "from": ("from", "开始"),
    "to": ("to", "结束"),
    "where": ("where", "位置"),
    "fault": ("fault", "故障"),
    "time": ("time", "时间"),
    "what": ("what", "内容"),
    "about": ("about", "说明"),
    "event": ("event", "事件"),
    "nothing": ("Nothing happened.", "没有任何事件。"),
    "threshold": ("alarm from", "报警阈值"),
}

PLACE_NAMES: Final[dict[str, str]] = {
    "line": "线路",
    "gateway": "网关",
    "disk": "磁盘",
    "network": "网络",
    "centre": "中心",
    "resident": "住户",
}

# What an entry says: (its colour's class, Chinese). English is the word itself. A word that is not here is shown as it
# is, in the colour "other".
WHAT: Final[dict[str, tuple[str, str]]] = {
    **{kind: ("stopped", zh) for kind, (_, zh) in SENSOR_FAULTS.items()},
    "press": ("stimulus", "按下"),
    "long_press": ("stimulus", "长按"),
    "pass": ("stimulus", "有人经过"),
    "open": ("stimulus", "开门"),
    "close": ("stimulus", "关门"),
    "unlit": ("stimulus", "未点燃"),
    "hose": ("stimulus", "软管脱落"),
    "pipe": ("stimulus", "管道扯断"),
    "airing": ("stimulus", "通风"),
    "whiff": ("stimulus", "短时气味"),
    "no_gas": ("stimulus", "无燃气"),
    "burst": ("stimulus", "水管爆裂"),
    "drip": ("stimulus", "滴漏"),
    "draining": ("stimulus", "排水"),
    "splash": ("stimulus", "溅水"),
    "damp": ("stimulus", "潮湿"),
    "dry": ("stimulus", "干燥"),
    "smouldering": ("stimulus", "阴燃"),
    "flaming": ("stimulus", "明火"),
    "lingering": ("stimulus", "烟雾滞留"),
    "toast": ("stimulus", "烤焦"),
    "clearing": ("stimulus", "排烟"),
    "clear": ("stimulus", "空气清洁"),
    "sos": ("stimulus", "求救键"),
    "fall": ("stimulus", "跌倒"),
    "go_out": ("stimulus", "外出"),
    "go_home": ("stimulus", "回家"),
    "no_fix": ("stopped", "无定位"),
    "fix": ("started", "恢复定位"),
    "garble": ("stopped", "数据混乱"),
    "worn_out": ("stopped", "寿命到期"),
    "replaced": ("started", "更换新件"),
    "dead": ("stopped", "停机"),
    "alive": ("started", "恢复工作"),
    "tamper": ("stimulus", "拆动"),
    "untamper": ("stimulus", "复位"),
    "battery_low": ("stimulus", "电量低"),
    "battery_changed": ("stimulus", "更换电池"),
    "start": ("stimulus", "执行启动"),
    "restart": ("stimulus", "执行重启"),
    "hold": ("stopped", "同步挂起"),
    "eio": ("stopped", "读写错误"),
    "enospc": ("stopped", "磁盘已满"),
    "slow": ("stopped", "磁盘变慢"),
    "unreadable": ("stopped", "无法读取"),
    "read_only": ("stopped", "只读"),
    "rot": ("stopped", "数据损坏"),
    "release": ("started", "磁盘恢复"),
    "faults": ("stopped", "线路不良"),
    "clean": ("started", "线路恢复"),
    "babble": ("stopped", "陌生终端发话"),
    "knock": ("stopped", "陌生终端求接入"),
    "pose": ("stopped", "陌生终端冒名"),
    "stranger": ("raised", "陌生终端"),
    "quiet": ("started", "陌生终端沉默"),
    "pause": ("stopped", "暂停"),
    "resume": ("started", "继续"),
    "power_cut": ("stopped", "断电"),
    "power_up": ("started", "上电"),
    "mains_lost": ("stopped", "市电中断"),
    "mains": ("started", "市电恢复"),
    "backup_low": ("stopped", "备用电池电量低"),
    "supply": ("sent", "供电状态"),
    "call": ("stimulus", "中心回呼"),
    "outage": ("stopped", "网络中断"),
    "half_open": ("stopped", "连接半开"),
    "network_faults": ("stopped", "网络不良"),
    "clock_step": ("stopped", "时钟跳变"),
    "clock_drift": ("stopped", "时钟漂移"),
    "clock_1970": ("stopped", "时钟回到 1970"),
    "clock_2000": ("stopped", "时钟回到 2000"),
    "clock_set": ("started", "时钟校准"),
    "back_up": ("stimulus", "备份"),
    "restore": ("stopped", "由旧备份恢复"),
    "cut": ("stopped", "断电"),
    "crowded": ("stopped", "队列已满让位"),
    "fault": ("stopped", "故障"),
    "healed": ("started", "故障排除"),
    "forged": ("stopped", "伪造"),
    "replayed": ("stopped", "重放"),
    "refused": ("stopped", "拒收"),
    "absorbed": ("sent", "重复已并入"),
    "offered": ("offered", "终端发出"),
    "acknowledged": ("acknowledged", "已确认"),
    "raised": ("raised", PHASE_NAMES["raised"][1]),
    "updated": ("updated", PHASE_NAMES["updated"][1]),
    "restored": ("restored", PHASE_NAMES["restored"][1]),
    "test": ("updated", PHASE_NAMES["test"][1]),
    "sent": ("sent", "已发送"),
    "committed": ("committed", "已提交"),
    "receipted": ("receipted", "已回执"),
    "siren": ("told", "警号"),
    "told": ("told", "告知"),
    # The words of journals and of a world in virtual time.
    "tell": ("told", "告知"),
    "incident": ("told", "警情"),
    "repeat": ("sent", "重复已并入"),
    "uplink": ("sent", "上行状态"),
    "storage": ("sent", "存储状态"),
    "gateway_lost": ("raised", "网关失联"),
    "ready": ("started", "就绪"),
    "kill": ("stopped", "被强杀"),
    "unplug": ("stopped", "线路拔除"),
    "plug": ("started", "线路接回"),
    "forge": ("stopped", "伪造"),
    "step": ("stimulus", "步骤"),
    "ntp": ("started", "时钟校准"),
    "drift": ("stopped", "时钟漂移"),
    "1970": ("stopped", "时钟回到 1970"),
    "2000": ("stopped", "时钟回到 2000"),
    "up": ("started", "连通"),
    "down": ("stopped", "断开"),
    "killed": ("stopped", "被强杀"),
    "started": ("started", "启动"),
    "stopped": ("stopped", "停止"),
}

# Kinds of faults in Chinese; English is the word itself.
FAULTS: Final[dict[str, str]] = {
    **{kind: zh for kind, (_, zh) in SENSOR_FAULTS.items()},
    "dead": "停机",
    "no_fix": "无定位",
    "garbled": "数据混乱",
    "worn_out": "寿命到期",
    "tamper": "拆动",
    "battery_low": "电量低",
    "unplugged": "线路拔除",
    "faults": "线路不良",
    "stranger": "陌生终端",
    "broker_down": "消息服务器停机",
    "killed": "被强杀",
    "hold": "同步挂起",
    "eio": "读写错误",
    "enospc": "磁盘已满",
    "line_loss": "丢帧",
    "line_repeat": "重帧",
    "line_flip": "误码",
    "line_noise": "线路噪声",
    "line_replay": "旧帧重放",
    "line_unplugged": "线路拔除",
    "forged": "伪造报警",
    "broker_restart": "消息服务器重启",
    "network_outage": "断网",
    "network_half_open": "连接半开",
    "network_slow": "网络迟缓",
    "network_repeats": "网络重复投递",
    "receipts_lost": "回执丢失",
    "agent_killed": "网关程序被强杀",
    "agent_paused": "网关程序挂起",
    "centre_killed": "中心被强杀",
    "power_cut": "断电",
    "mains_lost": "市电中断",
    "backup_low": "备用电池电量低",
    "disk_hung": "同步挂起",
    "disk_slow": "磁盘迟缓",
    "disk_eio": "写入错误",
    "disk_unreadable": "读写错误",
    "disk_full": "磁盘已满",
    "disk_read_only": "磁盘只读",
    "clock_step": "时钟跳变",
    "clock_1970": "时钟回到 1970",
    "clock_2000": "时钟回到 2000",
    "clock_drift": "时钟漂移",
    "slow": "磁盘变慢",
    "unreadable": "无法读取",
    "read_only": "只读",
    "paused": "暂停",
    "outage": "网络中断",
    "network_faults": "网络不良",
    "terminal_dead": "终端停机",
    "battery_changed": "更换电池",
    "bracelet_garbled": "手环数据混乱",
    "bracelet_no_fix": "手环无定位",
    "terminal_worn_out": "终端寿命到期",
}


def text(key: str, language: str, **values: object) -> str:
    """One of TEXTS in `language`: "zh" or anything else for English."""
    return TEXTS[key][language == "zh"].format(**values)


def lane_name(lane: str, language: str) -> str:
    """What people call a lane; a terminal's is its id."""
    return PLACE_NAMES.get(lane, lane) if language == "zh" else lane


def what_name(what: str, language: str) -> str:
    """What people call what an entry says."""
    if language == "zh" and what in WHAT:
        return WHAT[what][1]
    return _spelled(what)


def colour_of(what: str) -> str:
    """The class of an entry's colour."""
    return WHAT[what][0] if what in WHAT else "other"


def fault_name(kind: str, language: str) -> str:
    """What people call a kind of fault."""
    if language == "zh" and kind in FAULTS:
        return FAULTS[kind]
    if language == "zh" and kind in KINDS:
        return KINDS[kind][2]
    return _spelled(kind)


def _spelled(word: str) -> str:
    return word.replace("_", " ")
