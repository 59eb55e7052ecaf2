import os

import pytest

from palo.engines.stream import weights_digest
from palo.errors import MissingResource
from palo.hub import cached_snapshot


@pytest.fixture
def folder(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"weights")
    (model / "README.md").write_text("words")
    return model


def test_digest_follows_what_decides_the_text_and_nothing_else(folder):
    first = weights_digest(folder)
    (folder / "README.md").write_text("other words")
    assert weights_digest(folder) == first
    (folder / "model.safetensors").write_bytes(b"other!!")
    changed = weights_digest(folder)
    assert changed != first
    (folder / "chat_template.jinja").write_text("{{ x }}")
    assert weights_digest(folder) != changed


def test_a_copy_of_the_folder_has_the_same_digest(folder, tmp_path):
    import shutil

    first = weights_digest(folder)
    shutil.copytree(folder, tmp_path / "copy")
    assert weights_digest(tmp_path / "copy") == first


def test_unchanged_files_are_not_read_again(folder, monkeypatch):
    first = weights_digest(folder)

    def unread(path):
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("palo.engines.stream.file_digest", unread)
    assert weights_digest(folder) == first
    os.utime(folder / "model.safetensors", ns=(1, 1))
    with pytest.raises(AssertionError, match="was read"):
        weights_digest(folder)


def test_folder_without_a_model_is_a_missing_resource(tmp_path):
    with pytest.raises(MissingResource, match="No model in"):
        weights_digest(tmp_path)


def test_hub_model_that_was_never_downloaded_has_no_snapshot():
    assert cached_snapshot("palo-tests/no-such-model", None) is None
    assert cached_snapshot("models/of/mine") is None  # no name of the hub, nor a traceback
