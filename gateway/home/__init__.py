"""The pure core of the gateway: an event and the time in, effects out."""
