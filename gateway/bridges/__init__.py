"""Bytes from a port to readings, commands to bytes."""
