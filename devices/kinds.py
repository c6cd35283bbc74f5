"""The logic of each kind of terminal, for whoever plays any of them; a board imports its own alone."""

from devices.button import Button
from devices.door import Door
from devices.flood import Flood
from devices.gas import Gas
from devices.logic import Logic
from devices.motion import Motion
from devices.smoke import Smoke

LOGICS: "dict[str, type[Logic]]" = {
    "button": Button,
    "smoke": Smoke,
    "gas": Gas,
    "flood": Flood,
    "motion": Motion,
    "door": Door,
}
