import torch

from sceneworld.standins.alignment import LANGUAGE_SHARE, OWN_SHARE, align, start_together

NAMES = {0: "red", 1: "blue", 2: "circle", 3: "star", 4: "rouge", 5: "bleu", 6: "cercle"}
NAMES |= {7: "étoile", 8: "Rouge", 9: "est", 10: "inconnu", 11: "is"}


class Names:
    """As much of a tokenizer as is asked: a token's text."""

    def decode(self, ids):
        return " " + NAMES[ids[0]]


def told():
    """Every pair of colour and shape, four times, in two languages; `est` and `is` are in all."""
    return [
        {
            "en": [colour, shape, 11],
            "fr": [8 if capital and colour == 0 else colour + 4, shape + 4, 9],
        }
        for colour in (0, 1)
        for shape in (2, 3)
        for capital in (False, False, True, True)
    ]


def started():
    embeddings = torch.randn(len(NAMES), 64, generator=torch.Generator().manual_seed(1))
    before = embeddings.clone()
    start_together(embeddings, told(), Names())
    return before, embeddings


def likeness(one, two):
    return torch.cosine_similarity(one, two, dim=0).item()


def test_a_word_starts_beside_the_english_word_that_it_comes_with():
    before, after = started()
    for token, english, other in ((4, 0, 1), (5, 1, 0), (6, 2, 3), (7, 3, 2)):
        assert likeness(after[token], before[english]) > 0.6
        assert abs(likeness(after[token], before[other])) < 0.4


def test_a_word_renders_the_english_word_that_explains_it_not_one_that_is_always_there():
    rendered = align(told(), {token: name.lower() for token, name in NAMES.items()})
    assert {name: max(shares, key=shares.get) for name, shares in rendered.items()} == {
        "rouge": 0,
        "bleu": 1,
        "cercle": 2,
        "étoile": 3,
        "est": 11,
    }
    for shares in rendered.values():
        assert max(shares.values()) > 0.7
        assert sum(shares.values()) <= 1.001


def test_words_that_always_come_together_share_what_they_render():
    said = [{"en": [0, 2], "fr": [4, 6]}, {"en": [0, 2], "fr": [4, 6]}]
    for shares in align(said, NAMES).values():
        assert shares == {0: 0.5, 2: 0.5}


def test_nothing_told_renders_nothing():
    assert align([], NAMES) == {}
    assert align([{"en": [0, 2]}], NAMES) == {}


def test_other_forms_of_a_word_start_there_too_yet_apart():
    before, after = started()
    assert likeness(after[8], before[0]) > 0.6
    assert not torch.equal(after[8], after[4])


def test_words_of_one_language_share_a_direction():
    before, after = started()
    usual = before[[0, 1, 2, 3, 11]].norm(dim=1).mean()
    rest = [
        after[token]
        - before[english] / before[english].norm() * usual
        - before[token] / before[token].norm() * OWN_SHARE * usual
        for token, english in ((4, 0), (5, 1), (6, 2), (7, 3))
    ]
    for one in rest[1:]:
        torch.testing.assert_close(one, rest[0], rtol=1e-4, atol=1e-4)
    assert 0.5 < rest[0].norm() / (LANGUAGE_SHARE * usual) < 1.5


def test_english_words_and_words_never_seen_stay_where_they_are():
    before, after = started()
    for token in (0, 1, 2, 3, 10, 11):
        assert torch.equal(after[token], before[token])
