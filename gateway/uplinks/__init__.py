"""Outbox rows to a centre, receipts back."""
