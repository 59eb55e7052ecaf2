"""Tiny models of the same classes as the real ones, made on the spot."""

import pytest

from refine.filters import TurnPair

GOOD = TurnPair("The circle is red.", "دائرہ سرخ ہے۔")
OTHER = TurnPair("Two dogs sleep under a tree.", "دو کتے درخت کے نیچے سو رہے ہیں۔")
TEXTS = [GOOD.source, GOOD.target, OTHER.source, OTHER.target]


@pytest.fixture
def pairs():
    return [GOOD, OTHER]


@pytest.fixture(scope="session")
def tokenizer():
    from sceneworld.standins.tiny import train_tokenizer

    return train_tokenizer(TEXTS * 4, 400)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory, tokenizer):
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.5,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path_factory.mktemp("tiny-labse")
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_mt5(tmp_path_factory):
    """Its tokenizer ends every text with the end token, as mT5's does."""
    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import MT5Config

    from refine.models import model_class
    from sceneworld.standins.tiny import train_tokenizer

    tokenizer = train_tokenizer(TEXTS * 4, 400)
    end = (tokenizer.eos_token, tokenizer.eos_token_id)
    ending = TemplateProcessing(single=f"$A {end[0]}", special_tokens=[end])
    tokenizer.backend_tokenizer.post_processor = ending
    torch.manual_seed(3)
    config = MT5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_decoder_layers=2,
        num_heads=2,
        pad_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=0,
    )
    model = model_class()(config)
    with torch.no_grad():
        model.lm_head.weight.normal_(0, 3)
    folder = tmp_path_factory.mktemp("tiny-metricx")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
