"""The error that stops the service from starting."""


class StartError(Exception):
    """The service cannot start; the message is one sentence that says why and what to do.

    Raised for a wrong config var (SettingsError) and for a model that must not be served
    (ModelError).
    """
