"""What every stage of Palo speaks: languages, schemas, settings, shards, memory, engines, checks."""

__version__ = "0.1.0"
