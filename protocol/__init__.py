"""What is said on every wire: bytes to values and back, without I/O and without a clock."""
