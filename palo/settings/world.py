"""Settings of the built-in scene world (only the sample profile has them)."""

from pydantic import Field

from palo.settings.model import Section


class WorldSettings(Section):
    """Sizes of the world that `palo sample build` writes."""

    seed: int = 7
    source_images: int = Field(default=130, ge=1)  # three samples each
    corpus_scenes: int = Field(default=3000, ge=1)  # grammar text, to pretrain the translator
    caption_images: int = Field(default=1500, ge=1)  # captions and patch labels
    text_scenes: int = Field(default=12000, ge=1)  # captions and questions, as text
    parallel_text_scenes: int = Field(default=3000, ge=1)  # of them, in all ten languages
    evaluation_images: int = Field(default=60, ge=1)
    bench_images: int = Field(default=12, ge=1)  # of these, with three open questions each
