"""Source to segments to engine to validated translations, and fine-tuning of the translator."""
