import pytest

from palo.errors import UserError
from translate.job import NO_GLOSSARY, Term, load_glossary

FRISBEE = Term("frisbee", "فرزبی")


@pytest.fixture
def write(tmp_path):
    def write(content, encoding="utf-8"):
        (tmp_path / "ur.csv").write_bytes(content.encode(encoding))
        return load_glossary(tmp_path, "ur")

    return write


def test_terms_are_found_as_whole_words_in_any_case_and_number(write):
    glossary = write("english,translation\nfrisbee,فرزبی\nbus,بس\n")
    assert glossary.found_in("Two Frisbees.") == (FRISBEE,)
    assert glossary.found_in("A bus, buses, a FRISBEE.") == (Term("bus", "بس"), FRISBEE)
    assert glossary.found_in("A business of airbuses.") == ()


def test_the_longest_of_overlapping_terms_counts(write):
    glossary = write('english,translation\nfire,آگ\nfire hydrant,"فائر ہائیڈرنٹ"\n')
    assert [one.english for one in glossary.found_in("A fire hydrant.")] == ["fire hydrant"]
    assert [one.english for one in glossary.found_in("A fire.")] == ["fire"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_spreadsheets_save_is_read(write, delimiter):
    rows = (("Translation", "note", "English"), ("فرزبی", "", "frisbee"))
    content = "".join(delimiter.join(row) + "\r\n" for row in rows)
    assert write(f"\ufeff{content}").terms == {"frisbee": FRISBEE}


def test_a_folder_that_is_not_there_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match=r"no folder .*terms: mend translator\.glossary_dir"):
        load_glossary(tmp_path / "terms", "ur")


def test_no_file_and_no_setting_are_no_terms(tmp_path):
    assert load_glossary(tmp_path, "ur") is NO_GLOSSARY
    assert load_glossary(None, "ur").found_in("frisbee") == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("en,ur\na,b\n", "no column 'english'"),
        ("", "no column 'english'"),
        ("english,translation\nbus,\n", "'bus' stands alone"),
        ("english,translation\nbus,بس\nBus,گاڑی\n", "gives 'Bus' twice"),
    ],
)
def test_a_broken_file_is_named_with_what_to_mend(write, content, said):
    with pytest.raises(UserError, match=rf"ur\.csv.*{said}"):
        write(content)


def test_a_file_in_another_encoding_is_refused(write):
    with pytest.raises(UserError, match=r"ur\.csv is not UTF-8"):
        write("english,translation\nbus,بس\n", "utf-16")
