"""pipelines.yaml: profiles, their choice, and what is said of mistakes in it."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from palo.errors import UserError
from palo.settings import config_path, load_config, load_profile

REPO_DIR = Path(__file__).resolve().parents[2]
SHIPPED = yaml.safe_load((REPO_DIR / "pipelines.yaml").read_text(encoding="utf-8"))


def written(folder, change):
    """The shipped settings with `change` made to them, as a file."""
    raw = yaml.safe_load(yaml.safe_dump(SHIPPED))
    change(raw)
    path = folder / "pipelines.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def message(path):
    with pytest.raises(UserError) as raised:
        load_profile(path=path)
    return str(raised.value)


def test_the_shipped_profiles_load():
    config = load_config(REPO_DIR / "pipelines.yaml")
    assert sorted(config.profiles) == ["palo", "sample"]
    assert config.profiles["palo"].world is None
    assert config.profiles["sample"].world.source_images == 130
    assert config.pipelines["demo"][-1].run == "report"


def test_real_runs_use_every_gpu_and_derive_how_long_answers_may_be(tmp_path):
    palo, sample = (load_profile(name, REPO_DIR / "pipelines.yaml") for name in ("palo", "sample"))
    assert (palo.translator.data_parallel_size, palo.translator.max_tokens) == (None, None)
    assert (sample.translator.data_parallel_size, sample.translator.max_tokens) == (1, 160)
    for wrong in ("all", 0):
        width = {"data_parallel_size": wrong}
        path = written(tmp_path, lambda raw: raw["profiles"]["palo"]["translator"].update(width))  # noqa: B023
        assert "Setting 'profiles.palo.translator.data_parallel_size' = " in message(path)


def test_the_default_profile_is_sample(monkeypatch):
    monkeypatch.delenv("PROFILE", raising=False)
    assert load_profile(path=REPO_DIR / "pipelines.yaml").name == "sample"


def test_the_environment_picks_a_profile_and_an_option_beats_it(monkeypatch):
    monkeypatch.setenv("PROFILE", "palo")
    assert load_profile(path=REPO_DIR / "pipelines.yaml").name == "palo"
    assert load_profile("sample", REPO_DIR / "pipelines.yaml").name == "sample"


def test_an_empty_profile_variable_counts_as_none(monkeypatch):
    monkeypatch.setenv("PROFILE", "")
    assert load_profile(path=REPO_DIR / "pipelines.yaml").name == "sample"


def test_default_profile_of_the_file_decides_without_a_choice(tmp_path):
    path = written(tmp_path, lambda raw: raw.update(default_profile="palo"))
    assert load_profile(path=path).name == "palo"


def test_an_unknown_profile_names_the_nearest():
    with pytest.raises(UserError) as raised:
        load_profile("sampel", REPO_DIR / "pipelines.yaml")
    expected = "Unknown profile 'sampel'. Did you mean 'sample'? Profiles: palo sample"
    assert str(raised.value) == expected


def test_paths_hang_under_the_files_folder_and_absolute_ones_stay(tmp_path):
    def change(raw):
        raw["profiles"]["sample"]["source"]["images_dir"] = "/elsewhere/images"

    profile = load_profile("sample", written(tmp_path, change))
    assert profile.data_dir == tmp_path / "data/sample"
    assert profile.source.path == tmp_path / "data/sample/world/source.json"
    assert profile.source.images_dir == Path("/elsewhere/images")
    assert profile.translator.model == str(tmp_path / "data/sample/models/translator")


def test_a_model_of_the_hub_is_no_path():
    profile = load_profile("palo", REPO_DIR / "pipelines.yaml")
    assert profile.translator.model == SHIPPED["profiles"]["palo"]["translator"]["model"]


def test_the_file_is_found_from_a_folder_below_it(tmp_path, monkeypatch):
    path = written(tmp_path, lambda raw: None)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert config_path() == path


def test_palo_config_beats_the_folder(tmp_path, monkeypatch):
    written(tmp_path, lambda raw: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PALO_CONFIG", "/other.yaml")
    assert config_path() == Path("/other.yaml")


def test_outside_a_checkout_the_error_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as raised:
        config_path()
    expected = f"No pipelines.yaml in {tmp_path} or above. Run palo inside its checkout."
    assert str(raised.value) == expected


def set_translator(**values):
    return lambda raw: raw["profiles"]["sample"]["translator"].update(values)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            set_translator(max_token=3),
            "Unknown setting 'profiles.sample.translator.max_token'. Did you mean 'max_tokens'?",
        ),
        (
            set_translator(standin={"hidden": 3}),
            "Unknown setting 'profiles.sample.translator.standin.hidden'. "
            "Did you mean 'hidden_size'?",
        ),
        (
            lambda raw: raw["profiles"]["sample"].update(data="x"),
            "Unknown setting 'profiles.sample.data'. Did you mean 'data_dir'?",
        ),
        (
            lambda raw: raw["profiles"].update(source=raw["profiles"]["sample"] | {"wrld": {}}),
            "Unknown setting 'profiles.source.wrld'. Did you mean 'world'?",
        ),
        (
            lambda raw: raw["pipelines"]["demo"][0].update(tilte="x"),
            "Unknown setting 'pipelines.demo.0.tilte'. Did you mean 'title'?",
        ),
        (
            lambda raw: raw.update(qqqq=1),
            "Unknown setting 'qqqq'. Known: default_profile pipelines profiles.",
        ),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(tmp_path, change, expected):
    path = written(tmp_path, change)
    assert message(path) == f"{path}: {expected}"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (set_translator(max_attempts=0), "'profiles.sample.translator.max_attempts' = 0: "),
        (set_translator(engine="vlm"), "'profiles.sample.translator.engine' = 'vlm': "),
        (lambda raw: raw["profiles"].update(sample=None), "'profiles.sample' = None: "),
    ],
)
def test_a_wrong_value_is_named_with_its_place(tmp_path, change, where):
    assert where in message(written(tmp_path, change))


def test_a_missing_setting_is_named(tmp_path):
    path = written(tmp_path, lambda raw: raw["profiles"]["sample"].pop("data_dir"))
    assert "Setting 'profiles.sample.data_dir'" in message(path)
    assert "Field required" in message(path)


def test_a_missing_file_is_named(tmp_path):
    assert message(tmp_path / "no.yaml") == f"No settings file {tmp_path / 'no.yaml'}."
    assert message(tmp_path) == f"No settings file {tmp_path}."


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: [", "is not valid YAML"),
        (b"profiles: \xff\xfe", "is not UTF-8 text"),
        (b"- a\n", "must hold a mapping with profiles and default_profile."),
        (b"", "must hold a mapping with profiles and default_profile."),
    ],
)
def test_a_file_that_is_no_settings_is_said_to_be_none(tmp_path, content, expected):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    assert message(path).startswith(f"{path} {expected}")


def test_settings_cannot_be_changed():
    profile = load_profile("sample", REPO_DIR / "pipelines.yaml")
    with pytest.raises(ValidationError):
        profile.name = "other"


def test_on_another_source_file_the_data_lies_in_a_folder_of_its_own(project):
    profile = load_profile("sample")
    other = profile.on(Path("elsewhere/mine.json"))
    assert other.source.path == Path.cwd() / "elsewhere" / "mine.json"
    assert other.source.images_dir is None
    assert other.data_dir.parent == profile.data_dir / "sources"
    assert other.data_dir.name.startswith("mine-")
    assert other.translator == profile.translator
    assert profile.on(None) is profile


def test_memories_lie_where_the_profile_or_the_environment_says(tmp_path, monkeypatch):
    config = written(tmp_path, lambda raw: raw["profiles"]["palo"].update(memory_dir="here"))
    profile = load_profile("palo", config)
    assert profile.paths.memory("ur") == tmp_path / "here" / "ur.sqlite"
    assert profile.paths.refined("ur") == tmp_path / "data" / "palo" / "refined" / "ur"
    other = profile.on(tmp_path / "x.json").paths
    assert other.memory("ur").parent.parent == tmp_path / "here" / "sources"
    assert other.memory("ur").parent.name == other.root.name
    monkeypatch.setenv("PALO_MEMORY_DIR", "/local")
    assert load_profile("palo", config).paths.memory("ur") == Path("/local/ur.sqlite")
    assert load_profile("sample", config).paths.verified("ur").parent == Path("/local")
