"""What every stage speaks: languages, schemas, settings, shards, memory, engines, checks."""

__version__ = "0.1.0"
