from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from rn_model.compare.config import GridConfig
from rn_model.compare.findings.plots import bars, scatter
from rn_model.compare.findings.results import Finding
from rn_model.compare.jobs import cell_keys
from tests.rn_model.compare.findings.synthetic import result


def _grid(normalizations: int) -> GridConfig:
    return GridConfig.model_validate(
        {
            "base": "digits",
            "tasks": [{"name": "a-task-with-a-long-name"}, {"name": "b"}],
            "normalizations": [{"name": f"n{i}", "kind": "rn"} for i in range(normalizations)],
            "objectives": ["mcc"],
            "seeds": [0, 1],
        }
    )


def _findings(grid: GridConfig, failed: str = "") -> list[Finding]:
    keys = enumerate(cell_keys(grid))
    return [
        Finding(key, None, "a reason")
        if key.normalization == failed
        else Finding(key, result(0.5 + place / 100, score=0.3 + place / 100))
        for place, key in keys
    ]


def _colours(figure: Figure) -> dict[str, str]:
    handles, labels = figure.axes[0].get_legend_handles_labels()
    return {
        label: to_hex(handle.patches[0].get_facecolor())  # type: ignore[attr-defined]
        for handle, label in zip(handles, labels, strict=True)
    }


def test_a_normalization_has_the_same_colour_in_every_group() -> None:
    grid = _grid(3)
    whole = _colours(bars(grid, _findings(grid), "b"))
    part = _colours(bars(grid, _findings(grid, failed="n1"), "b"))
    assert len(set(whole.values())) == 3
    assert part == {name: whole[name] for name in ("n0", "n2")}


def test_colours_suffice_for_the_largest_built_in_grid() -> None:
    grid = _grid(17)
    assert len(set(_colours(bars(grid, _findings(grid), "b")).values())) == 17


def test_nothing_is_cut_off() -> None:
    grid = _grid(3)
    for figure in (
        bars(grid, _findings(grid), "a-task-with-a-long-name"),
        scatter(grid, _findings(grid)),
    ):
        figure.draw_without_rendering()
        whole, (axes,) = figure.bbox, figure.axes
        legend = axes.get_legend()
        assert legend is not None
        for part in (axes.title, axes.xaxis.label, axes.yaxis.label, legend):
            box = part.get_window_extent()
            if not box.width:  # no text
                continue
            assert box.x0 >= whole.x0 and box.x1 <= whole.x1, part
            assert box.y0 >= whole.y0 and box.y1 <= whole.y1, part
