"""The firmware of the terminals, in the MicroPython subset: one file a terminal, a shared loop, boards apart."""
