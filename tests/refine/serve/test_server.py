"""Who may ask the review page what: token, host, origin, sizes, pictures."""

import http.client
import json
import os
import signal
import threading
from contextlib import suppress

import pytest

from refine.serve import MAX_BODY_BYTES, ReviewServer, ReviewStore

ROW = {"id": "t1.left", "verdict": "fix", "correction": "دو۔"}


def test_the_printed_address_opens_the_page_and_hands_out_a_strict_cookie(client):
    status, headers, body = client.ask(
        "GET", f"/?token={client.server.token}", headers={"Cookie": None}
    )
    assert status == 200
    assert headers["Set-Cookie"] == f"{client.cookie}; Path=/; HttpOnly; SameSite=Strict"
    assert b'lang="ur" dir="rtl"' in body


def test_every_answer_forbids_foreign_content_sniffing_and_storing(client):
    for path in ("/", "/batch", "/static/page.js", "/image/0", "/nothing"):
        headers = client.ask("GET", path)[1]
        assert headers["Content-Security-Policy"].startswith(
            "default-src 'none'; script-src 'self'"
        )
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"


def test_the_page_names_no_other_place(client):
    page = client.ask("GET", "/")[2].decode()
    files = [client.ask("GET", f"/static/page.{kind}")[2].decode() for kind in ("js", "css")]
    for text in (page, *files):
        assert "http:" not in text and "https:" not in text and "innerHTML" not in text
    assert "<script>" not in page and "style=" not in page and " onclick" not in page


@pytest.mark.parametrize("path", ["/", "/batch", "/static/page.js", "/image/0", "/?token=wrong"])
def test_without_the_token_nothing_is_told(client, path):
    assert client.get(path, headers={"Cookie": None}) == 403
    assert client.get(path, headers={"Cookie": f"{client.server.cookie}=wrong"}) == 403


def test_without_the_token_nothing_is_saved(client):
    assert client.save(ROW, headers={"Cookie": None})[0] == 403
    assert not client.server.store.path.exists()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1:1", "["])
def test_a_foreign_name_that_points_here_gets_nothing(client, host):
    name = host.replace(":80", f":{client.server.port}")
    assert client.get("/batch", headers={"Host": name}) == 421


def test_localhost_is_this_machine(client):
    name = f"localhost:{client.server.port}"
    assert client.get("/batch", headers={"Host": name}) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": None},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_only_the_page_itself_may_save(client, headers):
    assert client.save(ROW, headers=headers)[0] == 403
    assert not client.server.store.path.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"[" * 100_000,
        b"\xff",
        b'{"id": 1}',
        b'{"id": "t1.left", "x": ""}',
    ],
)
def test_what_the_page_would_not_send_is_refused(client, body):
    assert client.save(body)[0] == 400
    assert client.get("/batch") == 200


def test_bodies_are_limited_and_must_say_their_length(client):
    assert client.save(ROW, headers={"Content-Length": str(MAX_BODY_BYTES + 1)})[0] == 413
    assert client.save(ROW, headers={"Content-Length": None})[0] == 411
    chunked = {"Content-Length": None, "Transfer-Encoding": "chunked"}
    assert client.save(b"2\r\n{}\r\n0\r\n\r\n", headers=chunked)[0] == 411
    assert client.save(ROW, headers={"Content-Type": "text/plain"})[0] == 415


@pytest.mark.parametrize(
    "headers",
    [{"Content-Length": "-1"}, {"Content-Length": "+9"}, {"Transfer-Encoding": "chunked"}],
)
def test_what_is_no_http_request_never_reaches_the_page(client, headers):
    with suppress(ConnectionError):  # the server may hang up before all of it is sent
        assert client.ask("POST", "/save", ROW, headers=headers)[0] in (400, 411)
    assert not client.server.store.path.exists()


def test_a_decision_is_on_disk_when_it_is_answered(client, run):
    status, said = client.save(ROW)
    assert (status, said["decided"], said["entry"]["verdict"]) == (200, 1, "fix")
    (row,) = run.rows("batch-0001.ana.csv")
    assert (row["verdict"], row["correction"], row["reviewer"]) == ("fix", "دو۔", "Ana")
    assert row["hash"] == run.rows()[0]["hash"]


def test_a_refused_decision_names_column_and_reason(client):
    status, said = client.save(ROW | {"correction": ""})
    assert (status, said["column"]) == (422, "correction")
    assert client.save(ROW | {"id": "t9.nobody"})[0] == 409
    assert client.save(ROW | {"correction": "د" * 40_000})[0] == 422
    assert client.save(ROW | {"verdict": "maybe"})[0] == 422


def test_the_batch_tells_direction_and_what_was_decided(client):
    client.save(ROW)
    said = json.loads(client.ask("GET", "/batch")[2])
    assert (said["lang"], said["rtl"], said["batch"]) == ("ur", True, "batch-0001")
    left, lost = said["rows"]
    assert (left["verdict"], left["correction"], lost["verdict"]) == ("fix", "دو۔", "")
    assert left["previous"] == "What colour is the circle?"


def test_pictures_come_from_the_images_folder_alone(run, images, serve, tmp_path, client):
    assert client.ask("GET", "/image/0")[1]["Content-Type"] == "image/jpeg"
    secret = tmp_path / "secret.jpg"
    secret.write_bytes((images / "images" / "a.jpg").read_bytes())
    (images / "link.jpg").symlink_to(secret)
    (images / "words.txt").write_text("no picture", encoding="utf-8")
    rows = run.rows()
    wanted = [
        "../secret.jpg",
        str(secret),
        "link.jpg",
        "words.txt",
        "none.jpg",
        "images",
        "a\0b",
        "",
    ]
    many = [rows[0] | {"id": f"t1.x{at}", "image": name} for at, name in enumerate(wanted)]
    run.save(many, "batch-0002.csv")
    with serve(run.csv_path("batch-0002.csv")) as server:
        other = type(client)(server)
        assert [other.get(f"/image/{at}") for at in range(len(wanted))] == [404] * len(wanted)


@pytest.mark.parametrize(
    "path",
    ["/image/99", "/image/-1", "/image/../../etc/passwd", "/image/²", "/static/../server.py",
     "/static/%2e%2e/server.py", "/static/page.html.j2", "//etc/passwd"],
)  # fmt: skip
def test_no_address_leads_elsewhere(client, path):
    assert client.get(path.replace("²", "%C2%B2")) == 404


def test_another_host_accepts_addresses_but_no_foreign_names(batch, images):
    with ReviewServer(ReviewStore(batch, "ur", ""), images, host="0.0.0.0") as server:
        port = server.port
        assert server.is_own_name(f"192.168.1.7:{port}")
        assert not server.is_own_name(f"evil.example:{port}")


def test_each_start_has_a_token_of_its_own(batch, images):
    store = ReviewStore(batch, "ur", "")
    with ReviewServer(store, images) as one, ReviewServer(store, images) as other:
        assert one.token != other.token and len(one.token) == 43
        assert one.address == "127.0.0.1"


def test_ctrl_c_ends_a_server_that_a_browser_still_talks_to(batch, images):
    with ReviewServer(ReviewStore(batch, "ur", ""), images) as server:

        def ask_and_interrupt():
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            connection.request("GET", "/batch")
            answers.append(connection.getresponse().status)
            os.kill(os.getpid(), signal.SIGINT)

        answers = []
        threading.Thread(target=ask_and_interrupt, daemon=True).start()
        with pytest.raises(KeyboardInterrupt):
            server.serve_forever()
        assert answers == [403]
