"""Errors of what travels, split by who must act.

SchemaError
├── InvalidRecord      the publisher must mend the value; never retry
│   └── TooDeep        JSON that nests deeper than any chat needs
├── Undecodable        these bytes are no record of ours; never retry
│   └── UnknownSchema  the schema id is not in the catalog; upgrade the reader
├── UnknownTopic       the caller asked for a topic that topics.yaml does not name
└── DamagedArtifact    an adapter folder is not what its manifest or digest says; never load it

RegistryError          nothing is wrong with what travels, so that no record may be refused for it
├── RegistryAway       the Schema Registry does not answer; wait and ask again
└── RegistryRefuses    it says no: an incompatible or unregistered schema, a wrong login; the operator must act
"""


class SchemaError(Exception):
    """Anything wrong with what travels."""


class InvalidRecord(SchemaError):  # noqa: N818 - named for what it is, not for being an error
    """A value breaks its schema; the message quotes it and says what to do."""


class TooDeep(InvalidRecord):
    """JSON that nests deeper than whoever handles it can follow."""


class Undecodable(SchemaError):  # noqa: N818
    """Bytes that are no record of ours."""


class UnknownSchema(Undecodable):
    """A well-formed header with a schema id that the catalog does not hold."""


class UnknownTopic(SchemaError):  # noqa: N818
    """A topic that topics.yaml does not name."""


class DamagedArtifact(SchemaError):  # noqa: N818
    """An adapter folder that is incomplete, altered or not the one announced."""


class RegistryError(Exception):
    """Anything wrong with the Schema Registry."""


class RegistryAway(RegistryError):  # noqa: N818
    """No answer, or a failure on its side."""


class RegistryRefuses(RegistryError):  # noqa: N818
    """A definite no."""
