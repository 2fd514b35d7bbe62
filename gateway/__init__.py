"""The gateway: assembles drivers, buffer and uplinks into one supervised daemon."""
