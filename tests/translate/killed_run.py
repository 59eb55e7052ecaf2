"""The process that test_kill.py kills: a translation with the scripted engine, slowed down."""

import sys
import time
from dataclasses import replace
from pathlib import Path

from palo.engines.stream import Request, Result, ScriptedEngine, scripted_result
from palo.paths import DataPaths
from palo.settings import SourceSettings, TranslatorSettings
from translate import fill
from translate.ingest import ingest
from translate.job import TranslationJob, load_prompt
from translate.run import translate_language


def script(request: Request) -> Result:
    """Every tenth segment fails at first, so that kills fall between attempts as well."""
    result = scripted_result(request)
    if request.tag.endswith(("0", "f")) and request.sampling.temperature == 0:
        return replace(result, text="")
    return result


def main(source: Path, data_dir: Path, delay_s: float) -> None:
    print("ready 0", flush=True)
    fill._COMMIT_S = 0.05  # more commits, so more kinds of moments to be killed in
    paths = DataPaths(data_dir)
    ingest(SourceSettings(path=source, shard_rows=7), paths.source_dir)
    settings = TranslatorSettings(model="none", finetuned_dir=data_dir, max_attempts=2)
    for lang in ("fr", "ur"):
        job = TranslationJob(lang, load_prompt(lang), "scripted", settings)
        engine = ScriptedEngine(delay_s, script)
        translate_language(job, paths, engine)
        print(lang, engine.sent, flush=True)
        time.sleep(delay_s)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
