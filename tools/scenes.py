"""What happens in the demo's evening, one scene after the other: to the people, to the home, and to the machines."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from .evening import SCENE_S_MAX, Evening

FORGERIES: Final = 3
CUT_S: Final = 33.0  # of the demo's clock: long enough for the resident to be told, after 30 s, to phone
DARK_S: Final = 6.0  # without mains; a flicker of 2 s would be none
GAS_S_MAX: Final = 180.0  # from a pipe that is torn off to the alarm; it takes half a minute to be sure
STILL_S_MAX: Final = 180.0  # the rule of the demo, a heartbeat, and the time to answer
CLEAN_S_MAX: Final = 120.0  # until a minute of clean air, or of a dry floor, has passed


def _leave(evening: Evening) -> None:
    evening.scene(
        "The wife goes for a walk; nobody sees that the pipe of the stove is torn off",
        "老伴出门散步；灶具管道被扯断，无人察觉",
    )
    evening.do("bracelet-1", "go_out", "bracelet-1 leaves for a walk", "bracelet-1 出门散步", distance_m=150)
    evening.do("motion-1", "pass", "somebody walks through the living room", "有人走过客厅")
    evening.do("gas-1", "pipe", "gas gathers in the kitchen", "厨房燃气渐浓")


def _press(evening: Evening) -> None:
    evening.scene("The resident presses the emergency button", "老人按下紧急呼叫按钮")
    evening.do("button-1", "press", "button-1 in the bedroom is pressed", "卧室的 button-1 被按下")
    evening.until_settled("button-1")
    evening.call_back()


def _smoke(evening: Evening) -> None:
    evening.scene("The kitchen smoulders", "厨房阴燃")
    evening.do("smoke-1", "smouldering", "smoke creeps up in the kitchen", "厨房烟雾渐浓")
    evening.until_settled("smoke-1")
    evening.do(
        "smoke-1",
        "clearing",
        "the pan is taken off; a minute of clean air ends the alarm",
        "移开锅具；空气清洁一分钟后报警解除",
    )


def _flood(evening: Evening) -> None:
    evening.scene("A hose bursts in the bathroom", "卫生间水管爆裂")
    evening.do("flood-1", "burst", "water runs over the floor", "水漫过地面")
    evening.until_settled("flood-1")
    evening.do("flood-1", "dry", "the tap is closed, the floor is mopped", "关上水阀，拖干地面")


def _cut(evening: Evening) -> None:
    evening.scene("The broker is cut off, and the button is pressed meanwhile", "消息服务器中断，此时又有人按下按钮")
    evening.harm("the broker is killed", "消息服务器被杀掉")
    evening.site.kill("broker")
    until_ms = evening.stage.mono_ms() + int(CUT_S * 1000)
    evening.do("button-2", "press", "button-2 in the bathroom is pressed", "卫生间的 button-2 被按下")
    evening.until(lambda: evening.stage.mono_ms() >= until_ms, CUT_S + SCENE_S_MAX)
    evening.harm("the broker is started again", "消息服务器重新启动")
    evening.site.start("broker")
    evening.until_settled("button-2")


def _dark(evening: Evening) -> None:
    evening.scene("The mains fail; the gateway goes on from its battery", "市电中断；网关由电池供电")
    evening.harm("the mains are gone", "市电中断")
    evening.site.feed("lost 80")
    evening.until(lambda: evening.raised("mains_lost"), SCENE_S_MAX)
    until_ms = evening.stage.mono_ms() + int(DARK_S * 1000)
    evening.until(lambda: evening.stage.mono_ms() >= until_ms, SCENE_S_MAX)
    evening.harm("the mains are back", "市电恢复")
    evening.site.feed("mains 100")


def _kill(evening: Evening) -> None:
    evening.scene("The agent is killed with -9 in the middle of an alarm", "报警途中，网关程序被 kill -9")
    before = len(evening.home.promises())
    evening.do("button-1", "press", "button-1 in the bedroom is pressed", "卧室的 button-1 被按下")
    while len(evening.home.promises()) == before:  # at once: the next lines take longer than the alarm's way
        time.sleep(0.0005)
    evening.site.kill("agent")
    evening.harm("kill -9 of the agent, the moment the button is down", "按钮按下的瞬间，kill -9 网关程序")
    evening.at_home(
        "the agent is started again; it takes up what stood: the siren, and calls without a receipt on disk",
        "网关程序重新启动，接续未了之事：警号，以及磁盘上尚无回执的呼叫",
    )
    evening.site.start("agent")
    evening.until_settled("button-1")


def _sos(evening: Evening) -> None:
    evening.scene("On her walk the wife presses her bracelet", "老伴在散步途中按下手环")
    evening.do("bracelet-1", "sos", "bracelet-1 calls, with where it is", "bracelet-1 呼叫，并附上所在位置")
    evening.until_settled("bracelet-1")


def _forge(evening: Evening) -> None:
    evening.scene("A thief with the gateway's connection sends forged alarms", "盗用网关连接者发送伪造报警")
    evening.harm(f"{FORGERIES} forged fire alarms are sent", f"发出 {FORGERIES} 条伪造火警")
    evening.forge(FORGERIES)


def _replay(evening: Evening) -> None:
    evening.scene("Old frames are replayed on the terminals' wire", "在终端线路上重放旧帧")
    evening.replay()


def _gas(evening: Evening) -> None:
    evening.scene("The gas has gathered", "燃气积聚")
    evening.until(lambda: evening.promised("gas", "raised"), GAS_S_MAX)
    evening.until_settled("gas-1")
    evening.do(
        "gas-1",
        "airing",
        "the tap of the gas is closed, window and door are opened; airing takes minutes",
        "关闭燃气阀，打开门窗；通风需数分钟",
    )


def _still(evening: Evening) -> None:
    evening.scene("Nobody moves any more; the gateway asks, and nobody answers", "再无人活动；网关询问，无人应答")
    evening.until(lambda: evening.raised("inactivity"), STILL_S_MAX)
    evening.do("motion-1", "pass", "a neighbour comes in and finds him", "邻居进门，找到了老人")
    evening.until(lambda: evening.raised("inactivity", "restored"), SCENE_S_MAX)


def _quiet(evening: Evening) -> None:
    evening.scene(
        "Smoke and water are gone; the gas is aired out when the team is at the door",
        "烟与水已退；救援人员到门时，燃气正在散去",
    )
    ended = ("smoke", "flood")
    evening.until(
        lambda: all(evening.promised(kind, "restored") for kind in ended) and evening.stage.settled(), CLEAN_S_MAX
    )


SCENES: Final[tuple[Callable[[Evening], None], ...]] = (
    *(_leave, _press, _smoke, _flood, _cut, _dark, _kill, _sos, _forge, _replay, _gas, _still, _quiet),
)
