"""Settings of training and evaluation; the scales themselves are files in train/scales/."""

from pathlib import Path

from palo.settings.loop import LoopSettings
from palo.settings.model import Section


class TrainSettings(Section):
    """Where scales and training data lie; `scales_dir/<scale>.yaml` is one scale."""

    scales_dir: Path
    captions_path: Path  # stage 1: LLaVA list of image, caption
    captions_images_dir: Path
    english_mix_path: Path | None = None  # extra English instructions for stage 2
    english_mix_images_dir: Path | None = None
    # What the stand-ins of the sample profile are taught on (a real scale needs neither).
    patches_path: Path | None = None  # JSONL of image, cells
    text_path: Path | None = None  # JSONL of caption, lang, question, answer
    seed: int = 7
    loop: LoopSettings = LoopSettings()


class EvaluateSettings(Section):
    questions_path: Path  # JSONL of held-out questions with answers in ten languages
    images_dir: Path
    batch_size: int = 64
