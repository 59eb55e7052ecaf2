import hashlib
import json

import pytest
import torch
from huggingface_hub import save_torch_state_dict
from safetensors.torch import load_file, save_file

from palo.errors import MissingResource, UserError, listed
from train.conversion.tensors import (
    Lazy,
    held,
    read_file,
    read_stored,
    weights_at,
    write_files,
)

TENSORS = {"a": torch.arange(6).view(2, 3).half(), "b": torch.ones(4, dtype=torch.bfloat16)}


def read(weights):
    return {name: lazy.read() for name, lazy in weights.items()}


def equal(one, other):
    return one.keys() == other.keys() and all(
        one[n].dtype == other[n].dtype and torch.equal(one[n], other[n]) for n in one
    )


def write_sharded(folder, files):
    """.bin shards and an index of them."""
    where = {}
    for file, tensors in files.items():
        torch.save(tensors, folder / file)
        where |= dict.fromkeys(tensors, file)
    index = folder / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": where}), "utf-8")
    return index


def test_shapes_and_kinds_are_known_before_a_tensor_is_read(tmp_path):
    save_file(TENSORS, tmp_path / "model.safetensors", {"format": "pt"})
    weights, _, metadata = read_file(tmp_path / "model.safetensors")
    assert {n: (w.shape, w.dtype) for n, w in weights.items()} == {
        "a": ((2, 3), torch.float16),
        "b": ((4,), torch.bfloat16),
    }
    assert metadata == {"model.safetensors": {"format": "pt"}}
    assert equal(read(weights), TENSORS)


def test_safetensors_are_preferred_to_bin_and_an_index_to_a_file(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "pytorch_model.bin")
    assert weights_at(tmp_path).name == "pytorch_model.bin"
    write_sharded(tmp_path, {"x.bin": TENSORS})
    assert weights_at(tmp_path).name == "pytorch_model.bin.index.json"
    save_file(TENSORS, tmp_path / "model.safetensors")
    assert weights_at(tmp_path).name == "model.safetensors"
    assert weights_at(tmp_path / "none") is None


def test_shards_are_read_by_their_index(tmp_path):
    index = write_sharded(tmp_path, {"1.bin": {"a": TENSORS["a"]}, "2.bin": {"b": TENSORS["b"]}})
    stored = read_stored(index)
    assert equal(read(stored.weights), TENSORS)
    assert stored.files == {"1.bin": ["a"], "2.bin": ["b"]}


def test_bin_files_are_mapped_and_those_of_old_torch_are_read_all_the_same(tmp_path):
    torch.save(TENSORS, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    assert equal(read(read_file(tmp_path / "old.bin")[0]), TENSORS)


def test_a_missing_shard_is_named(tmp_path):
    index = write_sharded(tmp_path, {"1.bin": {"a": TENSORS["a"]}, "2.bin": {"b": TENSORS["b"]}})
    (tmp_path / "2.bin").unlink()
    with pytest.raises(MissingResource, match=r"index\.json names 2\.bin, which is not beside it"):
        read_stored(index)


def test_a_tensor_that_the_index_promises_must_be_there(tmp_path):
    index = write_sharded(tmp_path, {"1.bin": TENSORS})
    torch.save({"a": TENSORS["a"]}, tmp_path / "1.bin")
    with pytest.raises(UserError, match=r"says that 1\.bin holds b; it does not"):
        read_stored(index)


@pytest.mark.parametrize("file", ["../1.bin", "/etc/passwd", 7])
def test_an_index_cannot_lead_out_of_its_folder(tmp_path, file):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": file}}), "utf-8")
    with pytest.raises(UserError, match="no file beside it"):
        read_stored(index)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "is not JSON"), ("[]", "must hold one JSON object"), ("{}", "has no 'weight_map'")],
)
def test_a_broken_index_is_said_to_be_broken(tmp_path, text, said):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(text, "utf-8")
    with pytest.raises(UserError, match=said):
        read_stored(index)


class Planted:
    """What a hostile pickle would run."""

    ran = False

    def __reduce__(self):
        return (setattr, (Planted, "ran", True))


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path):
    torch.save({"a": TENSORS["a"], "b": Planted()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="running its code is refused"):
        read_file(tmp_path / "pytorch_model.bin")
    assert not Planted.ran


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("length", [0, 1, 60, -10])
def test_a_file_that_was_cut_short_is_said_to_be(tmp_path, name, length):
    if name.endswith(".bin"):
        torch.save(TENSORS, tmp_path / name)
    else:
        save_file(TENSORS, tmp_path / name)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UserError, match=r"cut short or damaged|running its code"):
        read_file(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [([1], "holds a list"), ({"a": TENSORS["a"], "step": 3}, "step is no tensor")],
)
def test_a_bin_file_must_hold_tensors_by_name(tmp_path, content, said):
    torch.save(content, tmp_path / "x.bin")
    with pytest.raises(UserError, match=said):
        read_file(tmp_path / "x.bin")


def test_quantised_weights_are_refused(tmp_path):
    save_file({"a": torch.ones(2, dtype=torch.int8)}, tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"a is of type I8; quantised"):
        read_file(tmp_path / "model.safetensors")


def test_long_lists_are_cut():
    assert listed("abcde") == "a, b, c and 2 more"
    assert listed("abc") == "a, b, c"


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


@pytest.mark.parametrize("most", [10**9, 600, 100])
def test_files_are_those_that_the_hubs_own_writer_makes(tmp_path, most):
    torch.manual_seed(0)
    tensors = {f"t{n}": torch.randn(n + 1, 16) for n in (3, 1, 9, 2, 7)}
    tensors["half"] = torch.randn(5).half()
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    count = []
    weights = {name: held(t) for name, t in tensors.items()}
    write_files(ours, weights, max_bytes=most, tick=count.append)
    save_torch_state_dict(tensors, theirs, max_shard_size=most, metadata={"format": "pt"})
    assert digests(ours) == digests(theirs)
    assert sum(count) == 6


def test_only_one_file_of_tensors_is_read_at_a_time(tmp_path):
    reads = []

    def lazy(name):
        tensor = torch.ones(4)
        return Lazy((4,), tensor.dtype, lambda: reads.append(name) or tensor.clone())

    seen = []
    write_files(
        tmp_path,
        {name: lazy(name) for name in "abcd"},
        {"1.safetensors": ["a", "b"], "2.safetensors": ["c", "d"]},
        tick=lambda _: seen.append(list(reads)),
    )
    assert seen == [["a", "b"], ["a", "b", "c", "d"]]


def test_rows_of_one_matrix_are_stored_apart(tmp_path):
    matrix = torch.arange(8.0).view(4, 2)
    weights = {"top": held(matrix[:2]), "rest": held(matrix[2:])}
    write_files(tmp_path, weights, {"a.safetensors": ["top", "rest"], "a.bin": ["top"]})
    found = load_file(tmp_path / "a.safetensors")
    assert torch.equal(found["rest"], matrix[2:])
    assert torch.load(tmp_path / "a.bin")["top"].untyped_storage().size() == 16
