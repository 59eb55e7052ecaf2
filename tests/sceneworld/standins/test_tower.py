import pytest
from PIL import Image

from sceneworld.standins.tower import label_patches, patch_features, read_pixels, train_tower
from train.scale import StandinTower

CELLS = [["", "big red", "", "small red"], ["big blue", "", "", ""]]


def test_patches_of_the_grid_are_labelled_with_words_and_place():
    labels = label_patches(CELLS, 2)
    assert labels.sizes == (3, 3, 4)
    first = [[0, 0, 0], [1, 2, 1], [0, 0, 2], [2, 2, 3]]
    assert labels.classes[0].tolist() == first
    assert labels.classes[1, 0].tolist() == [1, 1, 0]


def test_finer_patches_take_the_label_of_their_cell():
    labels = label_patches(CELLS, 4)
    assert labels.sizes == (3, 3, 16)
    words = labels.classes[0, :, 0].reshape(4, 4)
    assert words[:2, 2:].tolist() == [[1, 1], [1, 1]]
    assert words[2:, 2:].tolist() == [[2, 2], [2, 2]]
    assert words[:, :2].sum() == 0


@pytest.mark.slow
def test_the_tower_learns_to_name_patches_and_their_places(tmp_path):
    cells, paths = [], []
    for number in range(8):
        image = Image.new("RGB", (64, 64), (255, 255, 255))
        red = [bool(number >> bit & 1) for bit in range(4)]
        for cell in range(4):
            if red[cell]:
                image.paste((255, 0, 0), (cell % 2 * 32, cell // 2 * 32, *_corner(cell)))
        paths.append(tmp_path / f"{number}.png")
        image.save(paths[-1])
        cells.append(["red" if one else "" for one in red])
    settings = StandinTower(
        patch_size=32,
        hidden_size=32,
        layers=3,
        heads=2,
        steps=300,
        batch_size=8,
        learning_rate=3e-3,
    )
    losses: list[float] = []
    labels = label_patches(cells, 2)
    pixels = read_pixels(paths, 64)
    tower = train_tower(
        settings, 64, -2, pixels, labels, lambda text: losses.append(float(text.split()[1]))
    )
    assert losses[0] > 1.5
    assert losses[-1] < 0.1
    assert patch_features(tower, pixels, -2).shape == (8, 4, 32)


def _corner(cell):
    return (cell % 2 * 32 + 32, cell // 2 * 32 + 32)
