"""README's results are those of the recorded runs, and its tables hold their numbers where the titles say."""

import json

import pytest

from examples import readme_tables as example

ASSIGNMENT2 = {
    "assignment": 2, "city": "nyc", "protocol": "global time split 80/10/10", "seeds": [0, 1],
    "rows": {"train": 117697, "valid": 13000, "test": 13918}, "seconds": 90.0,
    "tables": {"frozen": {"popularity": {"Recall@10": [0.038]}, "nfm": {"Recall@10": [0.5, 0.7], "MAP@5": [0.25, 0.25]}},
               "contexts-frozen": {"nfm": {"MAP@5": [0.3]}}},
    "ablation": {"all but distance": {"Recall@10": [0.59, 0.61]}}}


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_results_section_is_made_from_the_records():
    readme = (example.ROOT / "README.md").read_text()
    assert example.with_results(readme, example.ROOT / "results") == readme, "run python -m examples.readme_tables"


def test_assignment_1_shows_the_numbers_of_its_record():
    record = json.loads((example.ROOT / "results" / "assignment1.json").read_text())
    lines = example.assignment1(record)
    header, row = (next(cells(line) for line in lines if line.startswith(f"| {name} |")) for name in ("model", "biased-mf"))
    shown = dict(zip(header, row, strict=True))
    rows = record["results"]["biased-mf"]
    for title, key in (("RMSE", "rmse"), ("MAE", "mae"), ("RMSE, refit", "refit_rmse"), ("MAE, refit", "refit_mae")):
        assert shown[title].startswith(f"{sum(row[key] for row in rows) / len(rows):.4f} ± ")
    assert shown["parameters"] == f"{rows[0]['parameters']:,}"
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) == len(record["results"]) + 4  # a line a model; two titles and what stands below them


def test_assignment_2_is_a_table_for_each_regime():
    lines = example.assignment2(ASSIGNMENT2)
    assert lines == [
        "**Assignment II, nyc.** global time split 80/10/10; check-ins: 117,697 train, 13,000 valid, 13,918 test; seeds "
        "0, 1; mean ± deviation.", "",
        "| frozen | Recall@10 | MAP@5 |", "|---|---|---|",
        "| popularity | 0.0380 |  |", "| nfm | 0.6000 ± 0.1414 | 0.2500 ± 0.0000 |", "",
        "| contexts, frozen | MAP@5 |", "|---|---|", "| nfm | 0.3000 |", "",
        "| ablation | Recall@10 |", "|---|---|", "| all but distance | 0.6000 ± 0.0141 |", ""]
    assert "ablation" not in "".join(example.assignment2({**ASSIGNMENT2, "ablation": {}}))


@pytest.mark.parametrize("names", [(), ("assignment2",), ("benchmarks", "assignment2", "assignment1")])
def test_only_the_section_changes_and_only_records_that_are_there_stand_in_it(names, tmp_path):
    for name in names:
        recorded = example.ROOT / "results" / f"{name}.json"
        (tmp_path / f"{name}.json").write_text(json.dumps(ASSIGNMENT2) if name == "assignment2" else recorded.read_text())
    readme = "# Title\n\n<!-- results: made so -->\n\nold\n<!-- end of results -->\n\nafter\n"
    made = example.with_results(readme, tmp_path)
    assert made.startswith(readme.split("old")[0]) and made.endswith("\n<!-- end of results -->\n\nafter\n")
    titles = [line.split("**")[1].split(",")[0] for line in made.splitlines() if line.startswith("**")]
    assert titles == [title for name, title in (("assignment1", "Assignment I"), ("assignment2", "Assignment II"),
                                                ("benchmarks", "Speed beside PyTorch")) if name in names]
    assert example.with_results(made, tmp_path) == made and "old" not in made


def test_the_command_writes_the_readme(tmp_path, monkeypatch):
    monkeypatch.setattr(example, "ROOT", tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "assignment2.json").write_text(json.dumps(ASSIGNMENT2))
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- results: -->\n<!-- end of results -->\nb\n")
    assert example.main() == 0
    assert "| popularity | 0.0380 |  |" in readme.read_text() and readme.read_text().endswith("results -->\nb\n")
