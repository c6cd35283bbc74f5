"""The world around a gateway, played: homes, terminals, lines, brokers, faults, cases."""
