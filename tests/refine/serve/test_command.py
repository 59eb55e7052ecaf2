"""`palo review serve` on a command line of its own."""

import pytest
import typer
from typer.testing import CliRunner

import refine.cli
from palo.errors import UserError
from refine.serve import ReviewServer


@pytest.fixture
def call(run, monkeypatch):
    """Runs the command, ended by Ctrl-C as soon as it serves; its output and the open pages."""
    opened = []
    monkeypatch.setattr(refine.cli, "load_profile", lambda name: run.profile)
    monkeypatch.setattr("webbrowser.open", opened.append)

    def stop(server):
        raise KeyboardInterrupt

    monkeypatch.setattr(ReviewServer, "serve_forever", stop)
    app = typer.Typer()
    app.callback()(lambda: None)
    refine.cli.register(app)

    def call(*arguments):
        done = CliRunner().invoke(app, ["review", "serve", *arguments])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.output, opened

    return call


def test_it_prints_the_address_with_its_token_and_opens_it(call, batch):
    output, opened = call("--lang", "ur", "--reviewer", "Ana")
    assert "0 of 2 rows decided" in output
    assert opened[0].startswith("http://127.0.0.1:") and opened[0] in output
    assert "Warning" not in output


def test_no_browser_only_prints(call, batch):
    output, opened = call("--lang", "ur", "--no-browser")
    assert opened == [] and "No --reviewer" in output


def test_another_host_is_warned_of(call, batch):
    assert "Warning: 0.0.0.0" in call("--lang", "ur", "--no-browser", "--host", "0.0.0.0")[0]


def test_one_language_at_a_time(call, batch):
    with pytest.raises(UserError, match="One language"):
        call("--lang", "ur,fr")


def test_a_port_that_is_taken_is_no_traceback(call, batch, images):
    from refine.serve import ReviewStore

    with (
        ReviewServer(ReviewStore(batch, "ur", ""), images) as other,
        pytest.raises(UserError, match="--port 0"),
    ):
        call("--lang", "ur", "--port", str(other.port))
