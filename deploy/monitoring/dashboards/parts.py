"""The kinds of panel that the dashboards are made of.

What is unknown is grey: the lowest threshold of every panel, which Grafana also
gives to a missing value, is never green.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common as common_parts,
    dashboard as dashboard_parts,
    prometheus,
    stat as stat_parts,
    table as table_parts,
    timeseries,
)
from grafana_foundation_sdk.models import (
    common,
    dashboard,
    prometheus as prometheus_models,
)

from deploy.monitoring.dashboards.ask import Ask
from rotator.observe.catalogue import CREDENTIAL

SOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
UNKNOWN: Final = "#808080"
UNKNOWN_WORD: Final = "unknown"
TABLE_FIELDS: Final = ("Time", "Value", *CREDENTIAL, "severity")
"""What an answer may have as columns; a table shows only those that it names."""

CREDENTIAL_PAGE: Final = (
    "/d/rotator-credential?var-credential=${__data.fields.credential:percentencode}"
    "&${datasource:queryparam}&${job:queryparam}&${__url_time_range}"
)

NO_COLORS: Final[Mapping[str, str]] = {}
Step = tuple[float, str]
Word = tuple[str, str]
BELOW_ALL: Final = -1_000_000_000_000_000

GOOD_AT_ZERO: Final[tuple[Step, ...]] = ((0, "green"), (1, "red"))
WARN_ABOVE_ZERO: Final[tuple[Step, ...]] = ((0, "green"), (1, "orange"))
PLAIN: Final[tuple[Step, ...]] = ((BELOW_ALL, "blue"),)
DAY: Final = 86_400
TIME_LEFT: Final[tuple[Step, ...]] = (
    (BELOW_ALL, "red"),
    (DAY, "orange"),
    (7 * DAY, "green"),
)
"""Seconds until something ends."""

YES_OR_NO: Final[tuple[Step, ...]] = ((0, "red"), (1, "green"))

AnyPanel = TypeVar(
    "AnyPanel", stat_parts.Panel, table_parts.Panel, timeseries.Panel, bargauge.Panel
)


@dataclass(frozen=True, slots=True)
class Look:
    """How values are written and coloured; `words` maps a value to (text, colour).

    `steps` are (from this value on, colour), ascending; below the first, and
    for no value at all, it is unknown.
    """

    unit: str = "short"
    steps: Sequence[Step] = PLAIN
    words: Mapping[str, Word] = field(default_factory=dict)
    none: str = UNKNOWN_WORD
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: a label, or `Value` with the unit and colours of `look`."""

    label: str
    title: str = ""
    look: Look | None = None
    width: int | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """Width in 24ths of the page, height in Grafana's steps of 30 px."""

    width: int
    height: int


SMALL: Final = Size(4, 4)
THIRD: Final = Size(8, 8)
HALF: Final = Size(12, 8)
FULL: Final = Size(24, 9)


def stat(title: str, what: str, *asks: Ask, look: Look, size: Size = SMALL) -> stat_parts.Panel:
    """Return a panel of present values, large."""
    panel = (
        stat_parts.Panel()
        .color_mode(common.BigValueColorMode.BACKGROUND_SOLID)
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(common_parts.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    if any(ask.legend for ask in asks):
        panel.text_mode(common.BigValueTextMode.VALUE_AND_NAME)
    return _finished(panel, title, what, size, look=look, queries=[_now(ask) for ask in asks])


def bars(title: str, what: str, *asks: Ask, look: Look, size: Size = THIRD) -> bargauge.Panel:
    """Return a panel of present values side by side."""
    panel = (
        bargauge.Panel()
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .orientation(common.VizOrientation.HORIZONTAL)
        .reduce_options(common_parts.ReduceDataOptions().calcs(["lastNotNull"]))
        .min(0)
    )
    return _finished(panel, title, what, size, look=look, queries=[_now(ask) for ask in asks])


def lines(
    title: str,
    what: str,
    *asks: Ask,
    look: Look,
    size: Size = HALF,
    stacked: bool = False,
    limits: bool = False,
    colors: Mapping[str, str] = NO_COLORS,
) -> timeseries.Panel:
    """Return a panel of values over time.

    `limits` draws the thresholds as lines; `colors` are those of series by name.
    """
    panel = (
        timeseries.Panel()
        .line_width(2)
        .fill_opacity(30 if stacked else 5)
        .show_points(common.VisibilityMode.NEVER)
        .axis_soft_min(0)
        .color_scheme(dashboard_parts.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC))
        .tooltip(
            common_parts.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
        .legend(
            common_parts.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    for name, color in colors.items():
        panel.override_by_name(name, [_fixed(color)])
    if stacked:
        panel.stacking(common_parts.StackingConfig().mode(common.StackingMode.NORMAL))
        panel.line_interpolation(common.LineInterpolation.STEP_AFTER)
    if limits:
        style = common_parts.GraphThresholdsStyleConfig()
        panel.thresholds_style(style.mode(common.GraphThresholdsStyleMode.DASHED))
    return _finished(panel, title, what, size, look=look, queries=[_range(ask) for ask in asks])


def table(
    title: str,
    what: str,
    ask: Ask,
    columns: Sequence[Column],
    *,
    size: Size = FULL,
    none: str = "none, or nothing known: see Last pass",
    sort: str = "",
    descending: bool = False,
) -> table_parts.Panel:
    """Return a table of present values, one row for each series; a credential is a link."""
    panel = table_parts.Panel().footer(
        common_parts.TableFooterOptions().enable_pagination(True).show(False).reducer([])
    )
    names = [column.label for column in columns]
    hidden = {name: True for name in TABLE_FIELDS if name not in names}
    panel.with_transformation(
        dashboard.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": hidden,
                "indexByName": {name: place for place, name in enumerate(names)},
                "renameByName": {c.label: c.title for c in columns if c.title},
            },
        )
    )
    for column in columns:
        panel.override_by_name(column.title or column.label, _column(column))
    if sort:
        by = common_parts.TableSortByFieldState().display_name(sort).desc(descending)
        panel.sort_by([by])
    return _finished(panel, title, what, size, look=Look(none=none), queries=[_rows(ask)]).mappings(
        []
    )


def _finished(
    panel: AnyPanel,
    title: str,
    what: str,
    size: Size,
    *,
    look: Look,
    queries: Sequence[prometheus.Dataquery],
) -> AnyPanel:
    """Give a panel what all have in common."""
    panel.title(title).description(what).datasource(SOURCE).span(size.width).height(size.height)
    panel.unit(look.unit).thresholds(_thresholds(look)).mappings(_mappings(look))
    panel.no_value(look.none)
    if look.decimals is not None:
        panel.decimals(look.decimals)
    for number, query in enumerate(queries):
        panel.with_target(query.ref_id(chr(ord("A") + number)))
    return panel


def _thresholds(look: Look) -> dashboard_parts.ThresholdsConfig:
    steps = [dashboard.Threshold(None, UNKNOWN)]
    steps += [dashboard.Threshold(value, color) for value, color in look.steps]
    absolute = dashboard.ThresholdsMode.ABSOLUTE
    return dashboard_parts.ThresholdsConfig().mode(absolute).steps(steps)


def _mappings(look: Look) -> list[dashboard.ValueMapping]:
    missing = dashboard.DashboardSpecialValueMapOptions(
        match=dashboard.SpecialValueMatch.NULL_AND_NAN,
        result=dashboard.ValueMappingResult(text=look.none, color=UNKNOWN),
    )
    found: list[dashboard.ValueMapping] = [dashboard.SpecialValueMap(options=missing)]
    if look.words:
        found.append(
            dashboard.ValueMap(
                options={
                    value: dashboard.ValueMappingResult(text=text, color=color, index=number)
                    for number, (value, (text, color)) in enumerate(look.words.items())
                }
            )
        )
    return found


def _column(column: Column) -> list[dashboard.DynamicConfigValue]:
    """Return what makes one column special: width, link, unit, colours."""
    found: dict[str, Any] = {"noValue": "-" if column.look is None else column.look.none}
    if column.width:
        found["custom.width"] = column.width
    if column.label == "credential":
        link = {"title": "Open this credential", "url": CREDENTIAL_PAGE}
        found["links"] = [{**link, "targetBlank": False}]
    if column.look is not None:
        found["unit"] = column.look.unit
        if column.look.decimals is not None:
            found["decimals"] = column.look.decimals
        found["thresholds"] = _thresholds(column.look).build()
        found["mappings"] = _mappings(column.look)
        found["custom.cellOptions"] = {"type": "color-text"}
    return [dashboard.DynamicConfigValue(name, value) for name, value in found.items()]


def _fixed(color: str) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})


def _query(ask: Ask) -> prometheus.Dataquery:
    query = prometheus.Dataquery().datasource(SOURCE).expr(ask.expr)
    query.editor_mode(prometheus_models.QueryEditorMode.CODE)
    return query.legend_format(ask.legend) if ask.legend else query


def _now(ask: Ask) -> prometheus.Dataquery:
    return _query(ask).instant()


def _range(ask: Ask) -> prometheus.Dataquery:
    return _query(ask).range()


def _rows(ask: Ask) -> prometheus.Dataquery:
    return _query(ask).instant().format(prometheus_models.PromQueryFormat.TABLE)
