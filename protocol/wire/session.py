"""One end's side of a session: its key, and the counters that must rise in each direction."""

from protocol.wire import messages

TYPE_CHECKING = False  # MicroPython has no typing module; type checkers take this name for true
if TYPE_CHECKING:
    from typing import Any

# Below 2**30 an integer takes no heap on a 32-bit board; a frame each 300 ms needs ten years to get there.
COUNTER_MAX = (1 << 30) - 1
# From here on a terminal says hello for a new session. A gateway answers a message with at most two, so it has enough.
COUNTER_RENEW = 1 << 28


def keep(items: "list[Any]", item: object, most: int) -> None:
    """Append `item`; of more than `most` the oldest goes. MicroPython's deque cannot be searched or sliced."""
    items.append(item)
    if len(items) > most:
        items.pop(0)


class Session:
    """Messages out are numbered and tagged; messages in are verified, each number taken once."""

    def __init__(self, key: bytes) -> None:
        self._key = messages.Key(key)
        self.sent = 0  # the last counter used
        self.received = 0  # the highest counter taken

    def seal(self, type: int, address: int, fields: tuple[object, ...]) -> bytes:
        """The next message of this session, with the next counter."""
        self.sent += 1
        return self._key.seal(type, address, self.sent, fields)

    def vouches(self, message: "messages.Message") -> bool:
        """Whether `message` was sealed in this session."""
        return self._key.vouches(message)

    def take(self, message: "messages.Message") -> bool:
        """Whether `message`, verified, is newer than all before it; from now on it is not."""
        if message.counter <= self.received:
            return False
        self.received = message.counter
        return True
