"""The errors that stop the service from starting."""


class StartError(Exception):
    """The service cannot start; the message is one sentence that says why and what to do.

    Raised for a wrong config var (SettingsError) and for a model that must not be served
    (ModelError).
    """


class ModelError(StartError):
    """The model, its files, its libraries or the Python are not those that were adopted."""
