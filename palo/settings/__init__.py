"""Typed settings of every stage, read from pipelines.yaml."""

from palo.settings.profile import Config, Profile, Step, config_path, load_config, load_profile

__all__ = ["Config", "Profile", "Step", "config_path", "load_config", "load_profile"]
