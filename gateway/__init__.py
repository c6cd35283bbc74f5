"""The agent of the gateway: polls terminals, keeps alarms on disk, signs them and sends them to a centre."""
