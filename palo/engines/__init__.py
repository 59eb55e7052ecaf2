"""Engines: each turns a stream of requests into a stream of results."""
