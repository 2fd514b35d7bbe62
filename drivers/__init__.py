"""Field protocols as code, devices as data.

A driver is handed its bus: it opens nothing by itself, schedules nothing, retries
nothing, and invents nothing. It knows nothing of the gateway that uses it.
"""
