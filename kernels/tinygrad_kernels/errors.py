"""Errors that more than one device raises."""


class OutOfMemoryError(RuntimeError):
    """The device has no memory left: torch.OutOfMemoryError, torch.cuda.OutOfMemoryError."""
