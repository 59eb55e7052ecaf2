import hashlib

import pytest
import torch
from huggingface_hub import save_torch_state_dict
from safetensors.torch import load_file

from train.conversion.read_weights import held
from train.conversion.write_weights import write_plan, write_shards


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
    write_shards(ours, weights, most, count.append)
    save_torch_state_dict(tensors, theirs, max_shard_size=most, metadata={"format": "pt"})
    assert digests(ours) == digests(theirs)
    assert sum(count) == 6


def test_only_one_file_of_tensors_is_read_at_a_time(tmp_path):
    reads = []

    def lazy(name):
        tensor = torch.ones(4)
        one = held(tensor)
        return type(one)(one.shape, one.dtype, lambda: reads.append(name) or tensor.clone())

    seen = []
    write_plan(
        tmp_path,
        {name: lazy(name) for name in "abcd"},
        {"1.safetensors": ["a", "b"], "2.safetensors": ["c", "d"]},
        tick=lambda _: seen.append(list(reads)),
    )
    assert seen == [["a", "b"], ["a", "b", "c", "d"]]


def test_rows_of_one_matrix_are_stored_apart(tmp_path):
    matrix = torch.arange(8.0).view(4, 2)
    weights = {"top": held(matrix[:2]), "rest": held(matrix[2:])}
    write_plan(tmp_path, weights, {"a.safetensors": ["top", "rest"], "a.bin": ["top"]})
    found = load_file(tmp_path / "a.safetensors")
    assert torch.equal(found["rest"], matrix[2:])
    assert torch.load(tmp_path / "a.bin")["top"].untyped_storage().size() == 16
