"""The serial link of the terminals, written in the MicroPython subset: the same files run on a board."""
