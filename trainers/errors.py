"""Errors of the learners, split by who must act.

TrainerError
├── InvalidTrack      the track file must be mended
├── InvalidItem       the labelled line or example must be mended; quoted with file and line where there is one
├── NothingToLearn    the batch cannot teach this head; collect more or other examples
├── BaseUnavailable   the base model is not there or is of the wrong kind; install or name another
├── AdapterMismatch   an adapter folder is damaged, or was made for another base
├── MixedBatch        a batch would mix tasks or label sets; select one
├── DamagedBatch      a batch snapshot was changed or cut; make it anew
├── TrainerBusy       another process trains on this folder; wait for it or stop it
└── RunStopped        the trainer was asked to stop in the middle of a run; start it again
"""


class TrainerError(Exception):
    """Anything that keeps a learner from its work."""


class InvalidTrack(TrainerError):  # noqa: N818 - named for what it is, not for being an error
    """A track file breaks a rule; the message names the file, the key and the value."""


class InvalidItem(TrainerError):  # noqa: N818
    """An item that no head can read."""


class NothingToLearn(TrainerError):  # noqa: N818
    """The items cannot teach the head: none, no text, or a single class."""


class BaseUnavailable(TrainerError):  # noqa: N818
    """The base model cannot be loaded."""


class AdapterMismatch(TrainerError):  # noqa: N818
    """An adapter folder that is damaged or belongs to another base."""


class MixedBatch(TrainerError):  # noqa: N818
    """Items of several tasks in one batch."""


class DamagedBatch(TrainerError):  # noqa: N818
    """A snapshot whose rows are not what its manifest says."""


class TrainerBusy(TrainerError):  # noqa: N818
    """Another trainer holds the folder's lock."""


class RunStopped(TrainerError):  # noqa: N818
    """A run that was asked to end; nothing of its unfinished round is published."""
