"""Errors that are the user's to mend: one line, no traceback."""


class UserError(ValueError):
    """A mistake in input that the user can correct; the command line prints it as one line."""


class SettingsError(UserError):
    """A config key is unknown, missing, or has a wrong type or value."""


class DataError(UserError):
    """A data file is missing, unreadable, or holds values that cannot be used."""


class ModelError(UserError):
    """A saved model is missing, damaged, or does not fit the data it is given."""


class DivergenceError(UserError):
    """Training met a loss that is not a finite number."""


class ConvergenceError(UserError):
    """The chains of a reference posterior have not converged."""
