/* Findings: near-duplicates, outliers and likely label errors, each with what speaks for it. */
(() => {
  "use strict";
  const { el } = studio.explore;
  const explore = studio.explore;
  const SHOWN = 40; // of a kind at once

  const pictures = (state, ids) => el("div", { class: "x-strip" },
    ids.map((id) => state.rowOf(id)).filter((row) => row >= 0).map((row) => explore.small(state, row, state.label(row))));
  const rows = (state, ids) => ids.map((id) => state.rowOf(id)).filter((row) => row >= 0);
  const exclude = (state, ids, words) => el("button", { type: "button", onclick: () => explore.change(state, "excluded", rows(state, ids), true) }, words);

  const list = (title, hint, items, draw) => {
    const body = el("div", { class: "x-stack" });
    let shown = SHOWN;
    const fill = () => {
      body.replaceChildren(...items.slice(0, shown).map(draw));
      if (items.length > shown) body.append(el("button", { type: "button", onclick: () => { shown += SHOWN; fill(); } },
        `Show more (${(items.length - shown).toLocaleString("en")} left)`));
    };
    const section = el("details", { class: "x-section", ontoggle: () => section.open && !body.children.length && fill() },
      el("summary", {}, el("h3", {}, title), el("small", { class: "num" }, items.length.toLocaleString("en"))),
      el("p", { class: "muted" }, items.length ? hint : "None were found."), body);
    return section;
  };

  explore.findingsPanel = (state) => {
    const panel = el("div", { class: "x-findings" });
    const say = (words) => panel.replaceChildren(el("p", { class: "muted x-hint" }, words));
    let loaded = null;
    const show = async () => {
      if (!state.map.ready.includes("findings"))
        return say("Near-duplicates, outliers and likely label errors are looked for once the map is ready. They appear here.");
      if (loaded === state.map.task) return;
      loaded = state.map.task;
      try {
        explore.drawFindings(state, panel, await studio.fetchJson(`/explore/${state.dataset.id}/findings.json`));
      } catch (error) {
        loaded = null;
        say(error.message);
      }
    };
    state.on("state", show);
    show();
    return panel;
  };
  Object.assign(explore, { pictures, excludeButton: exclude, findingList: list, rowsOfIds: rows });
})();
