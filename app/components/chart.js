/* A run's curves. Plotly comes with the studio; it is fetched when a chart is first shown. */
studio.chart = (element, props, watch) => {
  "use strict";
  const root = element.querySelector(".charts");
  const config = { displaylogo: false, responsive: true, displayModeBar: false };
  let plotly = null;
  const load = () =>
    (plotly ??= window.Plotly ? Promise.resolve() : new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = document.querySelector('meta[name="studio-plotly"]').content;
      script.onload = resolve;
      script.onerror = () => reject(new Error("Plotly could not be loaded."));
      document.head.append(script);
    }));
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  const layout = (chart, run) => {
    const axis = {
      gridcolor: colour("line"), zerolinecolor: colour("line"), linecolor: colour("line-strong"),
      tickfont: { size: 12 }, automargin: true, fixedrange: false,
    };
    return {
      uirevision: `${run}`, // zoom and hidden curves survive an update
      height: 260,
      margin: { l: 48, r: 14, t: 8, b: 40 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("muted") },
      hovermode: "x unified",
      hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line-strong"), font: { color: colour("ink") } },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { color: colour("ink") } },
      showlegend: chart.curves.length > 1,
      xaxis: { ...axis, title: { text: chart.x, font: { size: 12.5 } }, rangemode: "tozero" },
      yaxis: { ...axis, tickformat: chart.percent ? ".0%" : "", rangemode: chart.percent ? "normal" : "tozero" },
      shapes: (chart.marks ?? []).map((x) => ({
        type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1,
        line: { color: colour("line-strong"), width: 1, dash: "dot" },
      })),
    };
  };
  const trace = (curve) => ({
    name: curve.name, x: curve.x, y: curve.y,
    mode: curve.points ? "lines+markers" : "lines",
    line: { color: colour(curve.colour), width: 2 },
    marker: { size: 8, color: colour(curve.colour) },
    hovertemplate: curve.percent ? "%{y:.1%}" : "%{y:.3f}",
  });

  let shown = "";
  const show = async (again = false) => {
    const text = props.value || "";
    if (!again && text === shown) return;
    shown = text;
    const data = text ? JSON.parse(text) : null;
    root.hidden = !data;
    if (!data) return;
    await load();
    if (shown !== text) return; // a newer one came meanwhile
    for (const chart of data.charts) {
      const place = root.querySelector(`[data-chart="${chart.id}"]`);
      const has = chart.curves.some((curve) => curve.x.length);
      place.closest(".card").classList.toggle("waiting", !has);
      if (has) await Plotly.react(place, chart.curves.map(trace), layout(chart, data.run), config);
    }
    root.dataset.points = data.charts.reduce((sum, chart) => sum + chart.curves.reduce((n, c) => n + c.x.length, 0), 0);
  };
  watch("value", () => show());
  document.addEventListener("studio:theme", () => show(true));
  show();
};
