SIZES = {
    "--resume-segments": 400,
    "--few-segments": 200,
    "--many-segments": 1200,
    "--entries": 600,
    "--measured-entries": 300,
}


def test_it_runs_at_small_size_and_prints_its_figures_last(run_benchmark):
    words = [word for option, value in SIZES.items() for word in (option, value)]
    _, figures = run_benchmark("memory", *words)
    assert {"resume_s", "rss_growth", "writes_per_s"} <= set(figures)
    runs = figures["runs"]
    assert [runs[name]["turns"] for name in ("resume", "few", "many")] == [400, 200, 1200]
    assert [runs[name]["sent"] for name in ("resume", "few", "many")] == [0, 200, 1200]
    assert all(figures[name] > 0 for name in ("resume_s", "rss_growth", "writes_per_s"))
