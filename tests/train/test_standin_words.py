import torch

from train.standin_words import OWN_SHARE, start_together

NAMES = {0: "red", 1: "blue", 2: "circle", 3: "star", 4: "rouge", 5: "bleu", 6: "cercle"}
NAMES |= {7: "étoile", 8: "Rouge", 9: "rouges", 10: "est", 11: "inconnu"}


class Names:
    """As much of a tokenizer as is asked: a token's text."""

    def decode(self, ids):
        return " " + NAMES[ids[0]]


def scenes():
    """Every pair of colour and shape, four times, in two languages; `est` is in all."""
    return [
        [[[colour, shape]], [[colour + 4, shape + 4, 10]]]
        for colour in (0, 1)
        for shape in (2, 3)
        for _ in range(4)
    ]


def started():
    embeddings = torch.randn(len(NAMES), 64, generator=torch.Generator().manual_seed(1))
    before = embeddings.clone()
    start_together(embeddings, scenes(), Names())
    return before, embeddings


def test_a_word_starts_beside_the_caption_word_that_it_comes_with():
    before, after = started()
    torch.testing.assert_close(after[4], before[0] + OWN_SHARE * before[4])
    torch.testing.assert_close(after[7], before[3] + OWN_SHARE * before[7])


def test_other_forms_of_a_word_start_there_too():
    before, after = started()
    torch.testing.assert_close(after[8], before[0] + OWN_SHARE * before[8])
    torch.testing.assert_close(after[9], before[0] + OWN_SHARE * before[9])


def test_caption_words_and_words_that_tell_nothing_stay_where_they_are():
    before, after = started()
    for token in (0, 1, 2, 3, 10, 11):
        assert torch.equal(after[token], before[token])
