"""Averages of stations: minutes, hours and days out of judged readings."""
