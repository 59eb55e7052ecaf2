"""A trained scale on a LLaVA-Bench-style set: answers, judgements, scores with intervals."""
