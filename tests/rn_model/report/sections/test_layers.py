import math

import pytest

from rn_model.report.run_files import Entry
from rn_model.report.sections.layers import layer_charts, layer_rows


def _layer(**values: object) -> Entry:
    return {"name": "bn1", "channels": 64, "shift_mean": 0.5, "shift_variance": 0.1, **values}


def test_perplexity_is_a_share_of_the_number_of_groups() -> None:
    rows = layer_rows(
        [
            _layer(perplexity_mean=32.0, perplexity_variance=64.0),
            _layer(channels=2048, perplexity_mean=256.0, perplexity_variance=512.0),
        ]
    )
    assert [row.groups for row in rows] == [64, 512]
    assert [(row.perplexity_mean, row.perplexity_variance) for row in rows] == [(0.5, 1), (0.5, 1)]
    (row,) = layer_rows([_layer(perplexity_mean=4.0)], groups=16)
    assert row.groups == 16 and row.perplexity_mean == 0.25


def test_missing_values_of_a_layer_are_nan() -> None:
    (row,) = layer_rows([_layer(gate_mean=None, alpha=float("inf"))])
    assert math.isnan(row.gate_mean) and math.isnan(row.alpha) and math.isnan(row.perplexity_mean)
    assert row.shift_mean == 0.5


@pytest.mark.parametrize(
    ("extra", "titles"),
    [
        ({}, ["Shift between the domains"]),
        ({"gate_mean": 0.9}, ["Shift between the domains", "Gates of RA"]),
        ({"alpha": 0.9}, ["Shift between the domains", "Share of the own domain"]),
    ],
)
def test_there_is_a_chart_for_what_the_layers_have(extra: Entry, titles: list[str]) -> None:
    charts = layer_charts(layer_rows([_layer(**extra), _layer()]))
    assert [chart.title for chart in charts] == titles
    assert "mean from 0.5 to 0.5 and variance from 0.1 to 0.1" in charts[0].svg


def test_many_layers_are_numbered_and_few_are_named() -> None:
    few, many = ([_layer(name=f"layer{n}") for n in range(count)] for count in (3, 60))
    assert "layer2" in layer_charts(layer_rows(few))[0].svg
    assert "layer2" not in layer_charts(layer_rows(many))[0].svg


def test_no_layers_no_charts() -> None:
    assert layer_charts(layer_rows([])) == []


def test_a_layer_without_name_or_channels_is_an_error() -> None:
    with pytest.raises(ValueError, match="name and a number of channels"):
        layer_rows([{"name": "bn1"}])
