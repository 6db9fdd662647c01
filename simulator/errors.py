"""What a user can do wrong with the simulator, or the machine with it, as one line."""


class SimulatorError(Exception):
    """The simulator could not be started, reached or taken down; the message says why and what to do."""
