/* Charts. Plotly is loaded when the first one is shown. */

import { answers } from "./connection.js";
import { context } from "./context.js";
import { color } from "./dom.js";
import { session } from "./storage.js";

const HEIGHT = 260; // pixels

/* Decimals by the step between two ticks: no two labels are equal, at any zoom. */
const PERCENT = [
  { dtickrange: [0.007, null], value: ".0%" },
  { dtickrange: [0.0007, 0.007], value: ".1%" },
  { dtickrange: [null, 0.0007], value: ".3%" },
];

let plotly = null;
const loadPlotly = () => (plotly ??= new Promise((resolve, reject) => {
  const script = document.createElement("script");
  script.src = context().plotly;
  script.onload = resolve;
  script.onerror = async () => { // if the server does not respond, this page reloads
    if (await answers(true)) reject(new Error("Plotly could not be loaded."));
  };
  document.head.append(script);
}));

/* Start a group of charts; the arguments are those of Gradio's js_on_load. */
export const chart = (element, props, watch) => {
  const root = element.querySelector(".charts");
  const config = { displaylogo: false, responsive: true, displayModeBar: false, doubleClick: "reset" };

  /* A chart with `other` has two possible horizontal axes; the tab keeps the choice. */
  const axisOf = (chart) => (chart.other && session.get(`chart-${chart.id}`) === chart.other ? chart.other : chart.x);
  const switches = (card, chart) => {
    const group = card.querySelector(".chart-switch");
    group.hidden = !chart.other || !chart.curves.length;
    if (group.hidden) return;
    if (!group.children.length)
      for (const name of [chart.x, chart.other]) {
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
        button.addEventListener("click", () => { session.set(`chart-${chart.id}`, name); show(true); });
        group.append(button);
      }
    for (const button of group.children)
      button.setAttribute("aria-pressed", String(button.textContent === axisOf(chart)));
  };

  const layout = (chart, key) => {
    const axis = {
      gridcolor: color("line"), zerolinecolor: color("line"), linecolor: color("line-strong"),
      tickfont: { size: 12 }, automargin: true, fixedrange: false,
    };
    const by = axisOf(chart);
    const most = Math.max(...chart.curves.flatMap((curve) => (by === chart.other ? curve.other : curve.x)));
    return {
      uirevision: `${key}-${by}`, // zoom and hidden curves survive an update
      margin: { l: 48, r: 14, t: 8, b: 40 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: color("muted") },
      hovermode: "x unified",
      hoverlabel: { bgcolor: color("card"), bordercolor: color("line-strong"), font: { color: color("ink") } },
      legend: { orientation: "h", xref: "container", yref: "container", x: 0, y: 1, yanchor: "top", font: { color: color("ink") } },
      showlegend: chart.curves.length > 1,
      xaxis: { ...axis, title: { text: by, font: { size: 12.5 } }, rangemode: "tozero", ...(most < 6 && { dtick: 1 }) },
      yaxis: chart.percent
        ? { ...axis, tickformatstops: PERCENT, range: chart.range }
        : { ...axis, rangemode: "tozero" },
      shapes: [
        ...(chart.marks ?? []).map((x) => ({
          type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1,
          line: { color: color("line-strong"), width: 1, dash: "dot" },
        })),
        ...(chart.target == null ? [] : [{
          type: "line", xref: "paper", x0: 0, x1: 1, y0: chart.target, y1: chart.target,
          line: { color: color("ink"), width: 1, dash: "dash" },
        }]),
      ],
    };
  };
  /* A curve is one trace, or three if it has an interval: both ends of the interval, then the line. */
  const traces = (chart) => chart.curves.flatMap((curve) => {
    const x = axisOf(chart) === chart.other ? curve.other : curve.x;
    const line = {
      name: curve.name, x, y: curve.y, legendgroup: curve.name,
      mode: curve.points || x.length < 2 ? "lines+markers" : "lines", cliponaxis: false,
      line: { color: color(curve.color), width: 2, dash: curve.dash ? "dash" : "solid" },
      marker: { size: 8, color: color(curve.color) },
      hovertemplate: chart.percent ? "%{y:.1%}" : "%{y:.3f}",
    };
    if (!curve.low) return [line];
    const end = {
      x, mode: "lines", line: { width: 0 }, hoverinfo: "skip", showlegend: false, legendgroup: curve.name,
      fillcolor: `${color(curve.color)}2b`,
    };
    return [{ ...end, y: curve.low }, { ...end, y: curve.high, fill: "tonexty" }, line];
  });

  let shown = "";
  const show = async (again = false) => {
    const text = (props.value || "").replace(/^<!--.*-->$/, "");
    if (!again && text === shown) return;
    shown = text;
    const data = text ? JSON.parse(text) : null;
    root.hidden = !data;
    if (!data) return;
    await loadPlotly();
    if (shown !== text) return; // newer data arrived meanwhile
    for (const chart of data.charts) {
      const place = root.querySelector(`[data-chart="${chart.id}"]`);
      const card = place.closest(".card");
      const has = chart.curves.length > 0;
      place.style.height = `${chart.height ?? HEIGHT}px`; // Plotly asks the element when it is resized
      card.classList.toggle("waiting", !has);
      card.querySelector(".chart-wait").textContent = has ? "" : chart.wait;
      switches(card, chart);
      if (has) await window.Plotly.react(place, traces(chart), layout(chart, data.key), config);
    }
    root.dataset.points = data.charts.reduce((sum, chart) => sum + chart.curves.reduce((n, c) => n + c.x.length, 0), 0);
  };
  watch("value", () => show());
  document.addEventListener("studio:theme", () => show(true));
  show();
};
