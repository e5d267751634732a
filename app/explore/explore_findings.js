/* Findings: near-duplicates, outliers and likely label errors, each with what speaks for it, and a
   button that puts it right. What has been put right is no longer listed. */
(() => {
  "use strict";
  const { el } = studio.explore;
  const explore = studio.explore;
  const SHOWN = 30; // of a kind at once
  const percent = (share) => `${Math.round(100 * share)}%`;

  const button = (words, act, kind = null) => el("button", { type: "button", class: kind, onclick: act }, words);
  const strip = (state, rows, words = () => null) =>
    el("div", { class: "x-strip" }, rows.map((row) => explore.small(state, row, words(row))));
  const left = (state, item) => item.all.filter((row) => !state.excluded[row]); // of duplicates

  /* The kinds: title, what it means, whether an item is still open, and how it is drawn. */
  const KINDS = [
    {
      name: "labels", title: "Likely label errors",
      hint: "A model that has not seen the label, and the nearest images, both say another class.",
      open: (state, item) => state.labels[item.row] === item.label && !state.excluded[item.row],
      draw: (state, item) => [
        el("div", { class: "x-versus" }, explore.small(state, item.row),
          el("p", {}, "Labelled ", el("b", {}, state.className(item.label)), ` (${percent(item.own)} likely). Looks like `,
            el("b", {}, state.className(item.suggested)), ` (${percent(item.confidence)} likely), as do ${percent(item.agreeing)} of its neighbours`,
            item.confirmed ? `, and run ${state.foundBy}'s model says so, too:` : ":")),
        strip(state, item.near),
        el("div", { class: "x-row" },
          button(`Label as ${state.className(item.suggested)}`, () => explore.change(state, "label", [item.row], item.suggested), "primary"),
          button("Exclude", () => explore.change(state, "excluded", [item.row], true))),
      ],
    },
    {
      name: "duplicates", title: "Near-duplicates",
      hint: "They cost labels twice, and in two splits they flatter the accuracy.",
      open: (state, item) => left(state, item).length > 1,
      draw: (state, item) => {
        const rows = left(state, item);
        const splits = new Set(rows.map((row) => state.split(row)));
        return [
          el("p", {}, item.exact ? "Identical files" : `Cosine ${item.cosine.toFixed(3)}`, el("span", { class: "muted" },
            splits.size > 1 ? `, in ${[...splits].join(" and ")}` : "")),
          strip(state, rows, (row) => state.label(row)),
          el("div", { class: "x-row" }, button(rows.length > 2 ? `Keep the first, exclude ${rows.length - 1}` : "Exclude the second",
            () => explore.change(state, "excluded", rows.slice(1), true))),
        ];
      },
    },
    {
      name: "outliers", title: "Outliers",
      hint: "Far from every other image: a mistake in the data, or something rare that is worth a label.",
      open: (state, item) => !state.excluded[item.row],
      draw: (state, item, typical) => [
        el("div", { class: "x-versus" }, explore.small(state, item.row),
          el("p", {}, el("b", {}, state.label(item.row)), `. Distance to its neighbours ${item.distance.toFixed(2)}; typical is ${typical.toFixed(2)}. The nearest are:`)),
        strip(state, item.near),
        el("div", { class: "x-row" }, button("Exclude", () => explore.change(state, "excluded", [item.row], true))),
      ],
    },
  ];

  const section = (state, kind, found, typical) => {
    const rows = (ids) => (ids ?? []).map((id) => state.rowOf(id)).filter((row) => row >= 0);
    const items = found[kind.name].map((item) => ({
      ...item, row: item.id ? state.rowOf(item.id) : -1, all: rows(item.ids), near: rows(item.neighbours),
    }));
    const body = el("div", {});
    const count = el("small", { class: "num" });
    let shown = SHOWN;
    const fill = () => {
      const open = items.filter((item) => kind.open(state, item));
      const more = found.found[kind.name] - items.length; // found, but not listed
      count.textContent = `${(open.length + more).toLocaleString("en")}`;
      if (!details.open) return;
      body.replaceChildren(el("p", { class: "muted" }, items.length ? kind.hint : "None were found."),
        ...open.slice(0, shown).map((item) => el("div", { class: "x-finding" }, kind.draw(state, item, typical))),
        open.length > shown ? button(`Show more (${(open.length - shown).toLocaleString("en")} left)`, () => { shown += SHOWN; fill(); }) : "");
    };
    const details = el("details", { class: "x-section", ontoggle: fill, open: kind === KINDS[0] },
      el("summary", {}, el("h3", {}, kind.title), count), body);
    details.fill = fill;
    fill();
    return details;
  };

  explore.findingsPanel = (state) => {
    const panel = el("div", { class: "x-findings" });
    let [key, sections, stale] = [null, [], null];
    const say = (words) => panel.replaceChildren(el("p", { class: "muted x-hint" }, words));
    const again = async () => {
      try {
        await studio.fetchJson(`/explore/${state.dataset.id}/findings`, {});
        explore.say("Looking again; the findings appear here when they are ready.");
      } catch (error) {
        explore.say(error.message);
      }
    };
    const show = async () => {
      if (!state.map.findings) return say("Near-duplicates, outliers and likely label errors are looked for once the map is ready. They appear here.");
      if (key === state.map.findings) return;
      key = state.map.findings;
      try {
        const found = await studio.fetchJson(`/explore/${state.dataset.id}/findings.json`);
        state.foundBy = found.run;
        sections = KINDS.map((kind) => section(state, kind, found, found.typical_distance));
        stale = el("div", { class: "x-stack" }, el("p", { class: "muted" }, "Labels or exclusions have changed since."), button("Look again", again));
        stale.revision = found.revision;
        panel.replaceChildren(...sections, stale);
        update();
      } catch (error) {
        key = null;
        say(error.message);
      }
    };
    const update = () => {
      for (const one of sections) one.fill();
      if (stale) stale.hidden = stale.revision === state.revision;
    };
    state.on("state", show);
    state.on("columns", update);
    show();
    return panel;
  };
})();
