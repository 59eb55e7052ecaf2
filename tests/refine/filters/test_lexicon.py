from refine.filters.lexicon import LexiconFilter
from refine.filters.thresholds import shipped

ENGLISH = "My father did not buy the three books yesterday."


def test_the_translation_of_another_sentence_asks_for_review(look):
    verdict, reason = look(LexiconFilter(), ENGLISH, "Le train arrive à huit heures.", "fr")
    assert verdict == "review"
    assert reason == "nothing says: my, father, not, buy"


def test_a_translation_passes_and_so_does_english_itself(look):
    true = "Mon père n'a pas acheté les trois livres hier."
    assert look(LexiconFilter(), ENGLISH, true, "fr") is None
    assert look(LexiconFilter(), ENGLISH, "Trains.", "en") is None


def test_the_cut_is_a_matter_of_the_bands(look):
    bands = {"fr": shipped()["fr"].model_copy(update={"lexicon_score": -100.0})}
    assert look(LexiconFilter(bands), ENGLISH, "Le train arrive à huit heures.", "fr") is None
