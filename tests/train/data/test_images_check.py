import json
import zipfile
from dataclasses import replace

import pytest
from PIL import Image

from palo.files import write_json
from palo.settings import load_profile
from train.data.image_check import (
    COLLECTIONS,
    ImageList,
    ListFault,
    Place,
    check_images,
    image_lists,
)

NAMES = {
    "coco/train2017": ["000000000009.jpg", "000000000025.jpg"],
    "gqa/images": ["2354786.jpg"],
    "ocr_vqa/images": ["0312276.jpg", "081120.jpg"],
    "textvqa/train_images": ["0a1b.jpg"],
    "vg/VG_100K": ["1.jpg"],
    "vg/VG_100K_2": ["2.jpg", "ছবি ३.jpg"],
}


def save(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (9, 9, 9)).save(path, "JPEG")


def write_list(path, names):
    rows = [{"id": number, "image": name, "conversations": []} for number, name in enumerate(names)]
    write_json(path, [*rows, {"id": "text alone", "conversations": []}])
    return path


@pytest.fixture
def mix(tmp_path):
    """A list of images of all collections, each named twice, and the images themselves."""
    names = [f"{folder}/{name}" for folder, found in NAMES.items() for name in found]
    for name in names:
        save(tmp_path / "images" / name)
    return ImageList("mix", write_list(tmp_path / "mix.json", names * 2), tmp_path / "images")


def place(checked, folder):
    [found] = [one for one in checked.places if one.folder.endswith(folder)]
    return found


def test_all_that_is_there_is_counted_once_by_collection(mix):
    checked = check_images([mix])
    assert checked.is_complete
    assert {one.folder: one.needed for one in checked.places} == {
        f"{mix.images_dir}/{folder}": len(names) for folder, names in NAMES.items()
    }
    titles = {one.folder: one.title for one in COLLECTIONS}
    for folder, title in titles.items():
        assert place(checked, folder).title == title
        assert place(checked, folder).published.startswith("http")


def test_what_is_missing_is_named_with_its_place(mix):
    root = mix.images_dir
    (root / "vg/VG_100K_2/ছবি ३.jpg").unlink()
    (root / "gqa/images/2354786.jpg").unlink()
    (root / "gqa/images").rmdir()
    (root / "ocr_vqa/images/081120.jpg").rename(root / "ocr_vqa/images/081120.png")
    checked = check_images([mix])
    assert not checked.is_complete
    wrong = {one.folder: one for one in checked.places if one.lost}
    assert {folder: (one.needed, one.missing) for folder, one in wrong.items()} == {
        f"{root}/gqa/images": (1, 1),
        f"{root}/ocr_vqa/images": (2, 1),
        f"{root}/vg/VG_100K_2": (2, 1),
    }
    assert place(checked, "VG_100K_2").examples == [f"{root}/vg/VG_100K_2/ছবি ३.jpg"]
    [hint] = place(checked, "ocr_vqa/images").examples
    assert hint == f"{root}/ocr_vqa/images/081120.jpg (081120.png is there)"


def test_only_the_first_examples_are_kept(tmp_path):
    names = [f"coco/train2017/{number:03d}.jpg" for number in range(50)]
    one = ImageList("mix", write_list(tmp_path / "mix.json", names), tmp_path)
    [found] = check_images([one]).places
    assert (found.needed, found.missing) == (50, 50)
    assert found.examples == [f"{tmp_path}/{name}" for name in names[:3]]


def test_archives_count_as_the_folders_they_stand_for(mix):
    folder = mix.images_dir / "coco" / "train2017"
    with zipfile.ZipFile(f"{folder}.zip", "w") as file:
        for name in NAMES["coco/train2017"]:
            file.write(folder / name, f"train2017/{name}")
    for name in NAMES["coco/train2017"]:
        (folder / name).unlink()
    assert check_images([mix], decode=True).is_complete
    (mix.images_dir / "vg/VG_100K/1.jpg").unlink()
    (mix.images_dir / "vg/VG_100K.zip").write_bytes(b"PK")
    found = place(check_images([mix]), "vg/VG_100K")
    assert (found.missing, found.broken) == (0, 1)
    assert "cannot read archive" in found.examples[0]


@pytest.mark.parametrize("many", [False, True])
def test_broken_pictures_are_found_where_they_are_opened(mix, monkeypatch, many):
    monkeypatch.setattr("train.data.image_check.DECODED_AT_ONCE", 1 if many else 64)
    path = mix.images_dir / "vg/VG_100K_2/2.jpg"
    path.write_bytes(b"")
    (mix.images_dir / "coco/train2017/000000000009.jpg").write_bytes(b"<html>")
    assert check_images([mix]).is_complete
    ticks = []
    checked = check_images([mix], decode=True, tick=ticks.append)
    assert sum(one.broken for one in checked.places) == 2
    assert place(checked, "VG_100K_2").examples == [f"{path}: it is empty or no image"]
    assert sum(ticks) == sum(one.needed for one in checked.places)


def test_names_that_lead_out_are_refused_and_never_looked_for(tmp_path):
    save(tmp_path / "secret.jpg")
    names = ["../secret.jpg", str(tmp_path / "secret.jpg")]
    one = ImageList("mix", write_list(tmp_path / "mix.json", names), tmp_path / "images")
    checked = check_images([one], decode=True)
    [found] = checked.places
    assert (found.needed, found.missing, found.refused) == (0, 0, 2)
    assert not checked.is_complete
    assert "'../secret.jpg' leads out" in found.examples[0]


def test_images_of_no_collection_are_grouped_by_their_list(tmp_path):
    save(tmp_path / "c" / "GCC" / "1.jpg")
    captions = write_list(tmp_path / "captions.json", ["GCC/1.jpg", "GCD/2.jpg", "3.jpg"])
    checked = check_images([ImageList("captions", captions, tmp_path / "c", "somewhere")])
    examples = [f"{tmp_path}/c/3.jpg", f"{tmp_path}/c/GCD/2.jpg"]
    assert checked.places == [
        Place("captions", f"{tmp_path}/c", "somewhere", needed=3, missing=2, examples=examples)
    ]


def test_a_list_of_bare_names_is_known_by_its_folder(mix):
    coco = mix.images_dir / "coco" / "train2017"
    bare = write_list(mix.path.parent / "150k.json", ["000000000009.jpg", "000000000099.jpg"])
    checked = check_images([mix, ImageList("source", bare, coco)])
    found = place(checked, "coco/train2017")
    assert (found.title, found.needed, found.missing) == ("COCO", 3, 1)
    assert len(checked.places) == 6


@pytest.mark.parametrize(
    ("content", "reason"),
    [('[{"image": "coco/train2017/1.jpg"}, {"im', "breaks off"), ("{}", "JSON"), (None, "No such")],
)
def test_a_list_that_cannot_be_read_whole_is_a_fault(mix, tmp_path, content, reason):
    bad = tmp_path / "bad.json"
    if content is not None:
        bad.write_text(content, "utf-8")
    checked = check_images([replace(mix, path=bad, title="bad"), mix])
    [fault] = checked.lists
    assert isinstance(fault, ListFault)
    assert (fault.title, fault.path) == ("bad", str(bad))
    assert reason in fault.reason
    assert place(checked, "gqa/images").needed == 1


def test_items_of_another_form_are_passed_over(mix):
    rows = json.loads(mix.path.read_text("utf-8"))
    write_json(mix.path, [7, None, ["a"], {"image": 3}, {"image": None}, *rows])
    assert check_images([mix]).is_complete


def test_a_profile_names_its_lists():
    palo = image_lists(load_profile("palo"))
    assert [one.path.name for one in palo] == [
        "llava_instruct_150k.json",
        "llava_v1_5_mix665k.json",
        "cc3m_595k_chat.json",
    ]
    assert str(palo[0].images_dir).endswith("data/palo/images/coco/train2017")
    assert [one.title for one in image_lists(load_profile("sample"))] == [
        "instructions to translate",
        "captions of stage 1",
    ]


def test_the_sample_world_is_complete(profile):
    checked = check_images(image_lists(profile), decode=True)
    assert checked.is_complete
    assert sum(one.needed for one in checked.places) == 2 + 6
