"""The boards that a terminal runs on: pins, ports and clocks."""
