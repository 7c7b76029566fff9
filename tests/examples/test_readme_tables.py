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


CLAIMS = {
    "example": "my_example", "command": "python -m examples.my_example --seeds 0,1", "seeds": [0, 1], "quick": False,
    "claims": [
        {"what": "accuracy", "value": [0.9, 0.95], "goal": ">= 0.92", "holds": True},
        {"what": "points lost", "value": 31.25, "goal": "< 30", "holds": False},
        {"what": "the share that is left", "value": 1.25e-9, "goal": "< 0.001", "holds": True},
        {"what": "the mirror's mirror", "value": None, "goal": None, "holds": True}]}


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_results_section_is_made_from_the_records():
    readme = (example.ROOT / "README.md").read_text()
    assert example.with_results(readme, example.ROOT / "results") == readme, "run python -m examples.readme_tables"


def test_a_bar_in_a_cell_is_no_border():
    assert example.table(["a", "b"], [["|x|", "1"]]) == ["| a | b |", "|---|---|", r"| \|x\| | 1 |", ""]


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


def test_claims_are_a_line_each_beside_their_goals():
    lines = example.claims([CLAIMS, {**CLAIMS, "command": "python -m examples.other", "claims": CLAIMS["claims"][:1]}])
    assert lines[2:] == [
        "| example | what | measured | goal |", "|---|---|---|---|",
        "| `my_example --seeds 0,1` | accuracy | 0.9250 ± 0.0354 | >= 0.92 |",
        "|  | points lost | 31.25 | < 30, **missed** |",
        "|  | the share that is left | 1.25e-09 | < 0.001 |", "|  | the mirror's mirror | yes | yes |",
        "| `other` | accuracy | 0.9250 ± 0.0354 | >= 0.92 |", ""]
    assert example.claims([]) == []
    with pytest.raises(ValueError, match=r"of my_example is of a --quick run.*: python -m examples.my_example --seeds 0,1$"):
        example.claims([{**CLAIMS, "quick": True, "command": CLAIMS["command"] + " --quick"}])


@pytest.mark.parametrize("value, text", [(0, "0.0"), (12345.6, "12,346"), (-0.5, "-0.5000"), ([2.0, 4.0], "3.000 ± 1.414"),
                                         (999999, "1.00e+06"), (0.00512, "0.005120")])
def test_a_measured_number_has_four_digits(value, text):
    assert example.measured(value) == text


@pytest.mark.parametrize("names", [
    (), ("assignment2",), ("claims",), ("benchmarks", "claims", "assignment2", "assignment1")])
def test_only_the_section_changes_and_only_records_that_are_there_stand_in_it(names, tmp_path):
    for name in names:
        made = {"assignment2": ASSIGNMENT2, "claims": CLAIMS}.get(name)
        recorded = json.dumps(made) if made else (example.ROOT / "results" / f"{name}.json").read_text()
        (tmp_path / f"{name}.json").write_text(recorded)
    readme = "# Title\n\n<!-- results: made so -->\n\nold\n<!-- end of results -->\n\nafter\n"
    made = example.with_results(readme, tmp_path)
    assert made.startswith(readme.split("old")[0]) and made.endswith("\n<!-- end of results -->\n\nafter\n")
    titles = [line.split("**")[1].split(",")[0] for line in made.splitlines() if line.startswith("**")]
    assert titles == [title for name, title in (("assignment1", "Assignment I"), ("assignment2", "Assignment II"),
                                                ("claims", "What the other examples measured"),
                                                ("benchmarks", "Speed beside PyTorch")) if name in names]
    assert example.with_results(made, tmp_path) == made and "old" not in made


def test_each_machine_has_its_table_of_speeds(tmp_path):
    row = {"title": "a", "tinydl": "1 ms", "other": "2 ms", "mode": "eager", "ratio": "2.00 x", "must": ">= 1.0 x"}
    for name, cores in (("benchmarks", 2), ("benchmarks-other", 4)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"machine": {"cores": cores, "numpy": "2"}, "rows": [row]}))
    made = example.with_results(f"{example.START} -->\n{example.END}", tmp_path).splitlines()
    assert [line for line in made if line.startswith("cores")] == ["cores 2; numpy 2:", "cores 4; numpy 2:"]
    assert made.count("| a | 1 ms | 2 ms | eager | 2.00 x | >= 1.0 x |") == 2
    assert sum("Speed beside PyTorch" in line for line in made) == 1 and example.benchmarks([]) == []


def test_the_command_writes_the_readme(tmp_path, monkeypatch):
    monkeypatch.setattr(example, "ROOT", tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "assignment2.json").write_text(json.dumps(ASSIGNMENT2))
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- results: -->\n<!-- end of results -->\nb\n")
    assert example.main() == 0
    assert "| popularity | 0.0380 |  |" in readme.read_text() and readme.read_text().endswith("results -->\nb\n")
