"""One grammar a language: `say(message) -> str` in each module."""
