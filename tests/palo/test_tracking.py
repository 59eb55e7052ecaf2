import sys

import pytest

from palo.errors import MissingResource
from palo.settings import Tracker
from palo.tracking import require_trackers, tracked


def test_a_tracker_that_is_not_installed_is_named_with_its_setting(monkeypatch):
    monkeypatch.setattr("palo.tracking.find_spec", {"tensorboard": object()}.get)
    require_trackers([Tracker.TENSORBOARD], "some.trackers")
    with pytest.raises(MissingResource, match=r"^some\.trackers names wandb, .* pip install wandb"):
        require_trackers([*Tracker], "some.trackers")


def test_tensorboards_files_lie_in_the_folder(tmp_path):
    with tracked([Tracker.TENSORBOARD], tmp_path / "runs") as callbacks:
        assert len(callbacks) == 1
    assert list((tmp_path / "runs").glob("events.out.tfevents.*"))


def test_a_run_of_wandb_ends_with_its_training(monkeypatch, tmp_path):
    """The next language's would go on in it."""
    ended = []
    wandb = type("Wandb", (), {"finish": staticmethod(lambda: ended.append("run"))})
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setattr(
        "transformers.integrations.integration_utils.WandbCallback", lambda: "callback"
    )
    with tracked([Tracker.WANDB], tmp_path) as callbacks:
        assert (callbacks, ended) == (["callback"], [])
    assert ended == ["run"]
