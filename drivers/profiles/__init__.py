"""Devices as data: one YAML file for each model."""
