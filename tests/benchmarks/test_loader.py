SIZES = {
    "--conversations": 3000,
    "--json-conversations": 300,
    "--measured-conversations": 300,
}


def test_it_runs_at_small_size_and_prints_its_figures_last(run_benchmark):
    words = [word for option, value in SIZES.items() for word in (option, value)]
    _, figures = run_benchmark("loader", *words)
    assert {"open_s", "private_mib", "ratio_to_json", "random_ms", "lengths_per_s"} <= set(figures)
    assert (figures["conversations"], figures["json_scaled_by"]) == (3000, 10.0)
    assert figures["open_to_limit"] < 1
    assert figures["private_to_limit"] < 1
    assert figures["tokens_each"] > 576
    assert all(figures[name] > 0 for name in ("ratio_to_json", "random_ms", "lengths_per_s"))
