"""What goes wrong in sensors: models applied to any signal, simulated or recorded; docs/faults.md lists them."""
