"""Modbus TCP and RTU: transactions that prove which request an answer belongs to."""
