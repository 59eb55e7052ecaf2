import random

from palo.schemas import SOURCE, Role, Sample, Turn
from palo.shards import read_samples, shard_name, shard_paths, to_row, write_shard
from translate.ingest import pick, write_seed


def sample(number, num_turns=2, chars=50, image="a.jpg"):
    roles = (Role.HUMAN, Role.GPT)
    turns = tuple(Turn(roles[at % 2], "x" * (chars // num_turns)) for at in range(num_turns))
    return Sample(f"{number:04d}", str(number), image, turns, "test")


def mixed():
    many = [sample(number) for number in range(80)]
    long = [sample(100 + number, chars=2000) for number in range(16)]
    talks = [sample(200 + number, num_turns=6, chars=400, image=None) for number in range(4)]
    return many + long + talks


def test_every_stratum_gives_its_share():
    chosen = pick(mixed(), 25, seed=7)
    numbers = [int(one.source_id) for one in chosen]
    assert len(set(numbers)) == 25
    assert sum(number < 100 for number in numbers) == 20
    assert sum(100 <= number < 200 for number in numbers) == 4
    assert sum(number >= 200 for number in numbers) == 1


def test_the_choice_depends_on_seed_and_ids_not_on_order():
    samples = mixed()
    chosen = pick(samples, 20, seed=7)
    random.Random(1).shuffle(samples)
    assert pick(samples, 20, seed=7) == chosen
    assert pick(samples, 20, seed=8) != chosen


def test_asking_for_more_than_there_is_gives_all():
    assert len(pick(mixed(), 1000, seed=7)) == 100


def test_seed_shard_is_written_once_and_again_when_the_source_changes(tmp_path):
    def source(samples):
        path = tmp_path / "source" / shard_name(0)
        write_shard(path, [to_row(one) for one in samples], SOURCE, {}, {})

    source(mixed())
    folder = tmp_path / "seed"
    assert write_seed(tmp_path / "source", folder, 10, 7) == 10
    (path,) = shard_paths(folder)
    first = path.read_bytes()
    written = path.stat().st_mtime_ns
    assert write_seed(tmp_path / "source", folder, 10, 7) == 10
    assert path.stat().st_mtime_ns == written
    source(mixed()[:5])
    assert write_seed(tmp_path / "source", folder, 10, 7) == 5
    assert path.read_bytes() != first
    assert [one.sample_id for one in read_samples(path)] == [f"{n:04d}" for n in range(5)]
