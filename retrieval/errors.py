"""What can go wrong in `retrieval`, and what the reader of the message can do about it."""

from __future__ import annotations


class RetrievalError(Exception):
    """The base of everything this package raises on purpose."""


class SettingsError(RetrievalError):
    """A setting is missing or has a value that cannot be used."""


class ModelNotFoundError(RetrievalError):
    """A model name leads to no folder, no installed package and no hub model."""


class ModelCorruptError(RetrievalError):
    """A model's bytes are not the published ones."""


class IndexNotFoundError(RetrievalError):
    """There is no index yet."""


class IndexCorruptError(RetrievalError):
    """A file of the index is missing or is not what was written."""


class IndexMismatchError(RetrievalError):
    """The index was built with another embedder or another splitter version."""


class UnreadableError(RetrievalError):
    """A file cannot be read; the message is the reason that the summary shows."""


class QuestionError(RetrievalError):
    """The question cannot be asked as it is: empty, only symbols, or far too long."""


class DataError(RetrievalError):
    """An evaluation folder is not in the documented format."""


class BusyError(RetrievalError):
    """Another process is building what was asked for."""


class GeneratorError(RetrievalError):
    """The generator cannot do what was asked, or its model failed."""


class PromptTooLongError(GeneratorError):
    """The prompt and the answer do not fit what the model can take."""
