/* The active filters: a chip for each, which names it and removes it. */
(() => {
  "use strict";
  const { el } = studio.explore;
  const explore = studio.explore;
  const NAMED = 3; // classes that a chip names; more are counted
  const CHOICES = { // what the selects of the filters call their values
    labelled: { yes: "Labeled", no: "Not labeled" },
    pool: { pool: "In the pool", excluded: "Excluded by hand" },
    verdict: { right: "Prediction: right", wrong: "Prediction: wrong" },
  };

  /* "Class: cat, dog", "Class: not cat" or "Class: 7 of 18"; null where nothing is hidden. */
  const listed = (title, hidden, values, nameOf, shift = 0) => {
    if (!hidden.some(Boolean)) return null;
    const seen = new Uint8Array(hidden.length);
    for (const value of values) seen[value + shift] = 1;
    const present = [...seen.keys()].filter((at) => seen[at]);
    const off = present.filter((at) => hidden[at]).map(nameOf);
    const on = present.filter((at) => !hidden[at]).map(nameOf);
    if (!on.length) return `${title}: none`;
    if (off.length && off.length <= Math.min(NAMED, on.length)) return `${title}: not ${off.join(", ")}`;
    if (on.length <= NAMED) return `${title}: ${on.join(", ")}`;
    return `${title}: ${on.length} of ${present.length}`;
  };
  const between = (title, [least, most]) =>
    least === null ? `${title}: at most ${most}` : most === null ? `${title}: at least ${least}` : `${title}: ${least} to ${most}`;

  /* [name, how it is removed] of every active filter, in the order of the Filters panel. */
  const active = (state) => {
    const { filters: f } = state;
    const show = (name) => () => {
      f[name].fill(0);
      state.refilter();
    };
    const clear = (name, value) => () => state.filter({ [name]: value });
    return [
      [state.region && "Inside the outline", () => state.within(null)],
      [state.search && `Best for ${state.search.words}`, () => explore.clearSearch(state)],
      [f.words && `Text: “${f.words.words}”`, clear("words", null)],
      [listed("Split", f.hiddenSplits, state.splits, (at) => explore.SPLITS[at]), show("hiddenSplits")],
      [listed("Class", f.hiddenClasses, state.labels, (at) => state.className(at - 1), 1), show("hiddenClasses")],
      ...["labelled", "pool"].map((name) => [CHOICES[name][f[name]], clear(name, "any")]),
      [f.subset && `Subset: ${f.subset.name}`, clear("subset", null)],
      [f.round !== "any" && (f.round === "picked" ? "Selected in any round" : `Selected in round ${f.round}`), clear("round", "any")],
      [CHOICES.verdict[f.verdict], clear("verdict", "any")],
      ...[["loss", "Loss"], ["confidence", "Confidence"]].map(([name, title]) => [f[name] && between(title, f[name]), clear(name, null)]),
    ].filter(([name]) => name);
  };

  explore.chips = (state) => {
    const row = el("div", { class: "x-chips" });
    const sync = () => {
      const chips = active(state).map(([name, remove]) =>
        el("button", { type: "button", class: "x-chip", onclick: remove, title: `Remove: ${name}`, "aria-label": `Remove: ${name}` },
          el("span", {}, name), " ✕"));
      if (chips.length > 1) chips.push(el("button", { type: "button", class: "link", onclick: () => {
        explore.clearSearch(state);
        state.clearFilters();
      } }, "Clear all"));
      row.replaceChildren(...chips);
    };
    state.on("order search values columns", sync);
    sync();
    return row;
  };
})();
