"""How long a test waits for an event: far longer than it takes on a machine that is busy with
something else, so that only what never comes is late."""

PATIENCE_S = 60
