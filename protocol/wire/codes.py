"""The numbers that stand for kinds, phases and conditions on the terminals' serial link."""

# A name's place is its code; new names go at the end, so that an old terminal keeps its meaning.
KINDS: "tuple[str, ...]" = (
    "",
    "smoke",
    "gas",
    "flood",
    "inactivity",
    "button",
    "bracelet_sos",
    "bracelet_fall",
    "tamper",
    "battery_low",
    "sensor_fault",
    "motion",  # these two raise nothing: their heartbeats tell what they see, see ACTIVE
    "door",
)
PHASES: "tuple[str, ...]" = ("", "raised", "updated", "restored", "test")

# Conditions of a terminal, one bit each, carried by every event and heartbeat.
TAMPER = 1
BATTERY_LOW = 2
SENSOR_FAULT = 4
ALARM_STANDING = 8  # the terminal's own alarm is active now
EVENTS_DROPPED = 16  # its queue was full and an event that is not of life was lost
WARMING_UP = 32  # its sensor is not ready yet: it sees nothing, and that says nothing
END_OF_LIFE = 64  # its sensor has served its time; SENSOR_FAULT stands beside it
ACTIVE = 128  # motion: somebody was seen within the last minute; door: it stands open. The value is in s, since then

BATTERY_UNKNOWN = 255  # a mains-powered terminal, or one that cannot measure
