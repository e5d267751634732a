/* The filters, and the legend below the map, which is a filter too. */
(() => {
  "use strict";
  const { el } = studio.explore;
  const explore = studio.explore;
  const MANY = 12; // classes, above which there is a field to search them
  const SHOWN = 60; // legend entries; more are in the filters

  const choice = (state, name, title, options) => {
    const select = el("select", { onchange: () => state.filter({ [name]: select.value }) });
    const field = el("label", { class: "x-field" }, el("span", {}, title), select);
    const sync = () => (select.value = state.filters[name]);
    field.fill = (options) => {
      select.replaceChildren(...options.map(([value, words]) => el("option", { value }, words)));
      sync();
    };
    field.fill(options);
    state.on("mask", sync);
    return field;
  };
  const checks = (state, name, entries) => entries.map(({ at, words, count, css }) => {
    const box = el("input", { type: "checkbox", onchange: () => {
      state.filters[name][at] = box.checked ? 0 : 1;
      state.refilter();
    } });
    const row = el("label", { class: "x-check" }, box, css ? el("i", { style: `background:${css}` }) : null,
      el("span", {}, words), el("small", { class: "num" }, count.toLocaleString("en")));
    row.sync = () => (box.checked = !state.filters[name][at]);
    row.sync();
    return row;
  });
  const section = (title, open, ...children) =>
    el("details", { class: "x-section", open }, el("summary", {}, el("h3", {}, title)), ...children);

  const counted = (size, values, shift) => {
    const counts = new Uint32Array(size);
    for (const value of values) counts[value + shift]++;
    return counts;
  };

  const classSection = (state) => {
    const list = el("div", { class: "x-checks" });
    let rows = [];
    const words = el("input", { type: "search", placeholder: "Find a class", "aria-label": "Find a class", class: "x-input",
      oninput: () => {
        const wish = words.value.toLowerCase();
        for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wish);
      } });
    const fill = () => {
      const counts = counted(state.classes.length + 1, state.labels, 1);
      rows = checks(state, "hiddenClasses", [-1, ...state.classes.keys()]
        .filter((label) => counts[label + 1])
        .map((label) => ({ at: label + 1, words: state.className(label), count: counts[label + 1], css: explore.classColour(label) })));
      list.replaceChildren(...rows);
      words.hidden = rows.length <= MANY;
    };
    const all = (hidden) => {
      state.filters.hiddenClasses.fill(hidden);
      state.refilter();
    };
    fill();
    state.on("columns", fill);
    state.on("mask", () => rows.forEach((row) => row.sync()));
    return section("Class", true, words, list, el("div", { class: "x-row" },
      el("button", { type: "button", class: "link", onclick: () => all(0) }, "All"),
      el("button", { type: "button", class: "link", onclick: () => all(1) }, "None")));
  };

  const splitSection = (state) => {
    const list = el("div", { class: "x-checks" });
    let rows = [];
    const fill = () => {
      const counts = counted(3, state.splits, 0);
      rows = checks(state, "hiddenSplits", explore.SPLITS.map((words, at) => ({ at, words, count: counts[at] })));
      list.replaceChildren(...rows);
    };
    fill();
    state.on("mask", () => rows.forEach((row) => row.sync()));
    return section("Split", true, list);
  };

  const subsetField = (state) => {
    const select = el("select", { onchange: () => choose(Number(select.value)) });
    let asked = 0;
    const choose = async (id) => {
      const mine = ++asked;
      if (!id) return state.filter({ subset: null });
      try {
        const { rows, meta } = await studio.fetchBundle(`/explore/${state.dataset.id}/subset.bin?subset=${id}`);
        if (mine === asked) state.filter({ subset: { id, name: meta.name, rows: state.flags(rows) } });
      } catch (error) {
        if (mine !== asked) return;
        explore.say(error.message);
        fill(); // the one before is still shown
      }
    };
    const field = el("label", { class: "x-field" }, el("span", {}, "Subset"), select);
    const fill = () => {
      select.replaceChildren(el("option", { value: "" }, "any"), ...state.subsets.map((subset) =>
        el("option", { value: subset.id }, `${subset.name} (${subset.images.toLocaleString("en")})`)));
      select.value = state.filters.subset?.id ?? "";
      field.hidden = !state.subsets.length;
    };
    fill();
    state.on("subsets mask", fill);
    state.on("cleared", () => asked++); // what is on its way comes too late
    return field;
  };

  const wordsField = (state) => {
    let wait;
    let asked = 0;
    const stop = () => { // what waits, or is on its way, comes too late
      clearTimeout(wait);
      asked++;
    };
    const input = el("input", { type: "search", class: "x-input", placeholder: "In caption or file name", "aria-label": "Words in caption or file name",
      oninput: () => {
        stop();
        wait = setTimeout(find, 250);
      } });
    const find = async () => {
      const mine = asked;
      const words = input.value.trim();
      if (!words) return state.filter({ words: null });
      try {
        const { rows } = await studio.fetchBundle(`/explore/${state.dataset.id}/words.bin?words=${encodeURIComponent(words)}`);
        if (mine === asked) state.filter({ words: { words, rows: state.flags(rows) } });
      } catch (error) {
        if (mine === asked) explore.say(error.message);
      }
    };
    state.on("cleared", () => {
      stop();
      input.value = "";
    });
    let known = null;
    state.on("mask", () => {
      if (known === state.filters.words) return;
      known = state.filters.words;
      if (document.activeElement !== input) input.value = known?.words ?? "";
    });
    return input;
  };

  /* From – to, in the run's numbers. */
  const range = (state, name, title) => {
    const number = (words) => el("input", { type: "number", step: "any", min: 0, class: "x-input", placeholder: words,
      "aria-label": `${title} ${words}`, onchange: () => apply() });
    const ends = [number("from"), number("to")];
    const apply = () => {
      const given = ends.map(({ value }) => (value === "" ? null : Number(value)));
      state.filter({ [name]: given.every((value) => value === null) ? null : given });
    };
    state.on("mask", () => ends.forEach((end, k) => {
      if (document.activeElement !== end) end.value = state.filters[name]?.[k] ?? "";
    }));
    return el("div", { class: "x-field" }, el("span", {}, title), el("div", { class: "x-pair" }, ends));
  };

  const runSection = (state) => {
    const picked = choice(state, "round", "Picked", []);
    const judged = [
      choice(state, "verdict", "Prediction", [["any", "any"], ["right", "right"], ["wrong", "wrong"]]),
      range(state, "loss", "Loss"), range(state, "confidence", "Confidence")];
    const hint = el("p", { class: "muted" });
    const fill = () => {
      const { round, predicted } = state.values;
      // a round that another run had is listed while it is filtered by
      const last = round ? round.reduce((most, value) => Math.max(most, value), Number(state.filters.round) || 0) : 0;
      if (last !== picked.last) picked.fill([["any", "any"], ["picked", "in any round"],
        ...Array.from({ length: last }, (_, k) => [String(k + 1), `in round ${k + 1}`])]);
      picked.last = last;
      picked.hidden = !last;
      for (const field of judged) field.hidden = !predicted;
      hint.hidden = Boolean(last || predicted);
      hint.textContent = state.runs.length
        ? "Choose a run above the map to filter by what it picked and predicted."
        : "Once a run has finished on this dataset, filter here by what it picked and predicted.";
    };
    fill();
    state.on("values state", fill);
    return section("Run", true, el("div", { class: "x-stack" }, picked, judged, hint));
  };

  explore.filters = (state) => {
    const clear = el("button", { type: "button", class: "quiet", onclick: () => state.clearFilters() }, "Clear all");
    const sync = () => (clear.disabled = !state.filtered && !state.region);
    state.on("mask region", sync);
    sync();
    return el("div", { class: "x-filters" }, wordsField(state), splitSection(state), classSection(state),
      section("Images", true,
        choice(state, "labelled", "Label", [["any", "any"], ["yes", "labeled"], ["no", "not labeled"]]),
        choice(state, "pool", "Pool", [["any", "any"], ["pool", "in the pool"], ["excluded", "excluded by hand"]]),
        subsetField(state)),
      runSection(state), clear);
  };

  /* The legend: one button an entry, which hides and shows it; with Alt or a double click, alone. */
  explore.legend = (state, map) => {
    const list = el("div", { class: "x-legend-list" });
    const legend = el("details", { class: "x-legend", open: innerWidth > 720 }, el("summary", {}, "Legend"), list);
    const format = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2));
    let buttons = [];
    const fill = () => {
      const { entries, ramp } = map.painted;
      if (fill.of === map.painted) return buttons.forEach((button) => button.sync?.());
      fill.of = map.painted;
      const parts = [];
      if (ramp) parts.push(el("div", { class: "x-ramp" }, el("i", { style: `background:${ramp.css}` }),
        el("span", { class: "num" }, format(ramp.low)), el("small", {}, ramp.words), el("span", { class: "num" }, format(ramp.high))));
      buttons = entries.slice(0, SHOWN).map((entry) => {
        const inner = [el("i", { style: `background:${entry.css}` }), el("span", {}, entry.name), el("small", { class: "num" }, entry.count.toLocaleString("en"))];
        if (!entry.toggle) return el("div", { class: "x-entry" }, inner);
        const button = el("button", { type: "button", class: "x-entry", title: "Click to hide or show; Alt-click or double-click to show it alone",
          onclick: (event) => entry.toggle(event.altKey), ondblclick: () => entry.toggle(true) }, inner);
        button.sync = () => button.setAttribute("aria-pressed", !entry.hidden());
        button.sync();
        return button;
      });
      parts.push(...buttons);
      if (entries.length > SHOWN) parts.push(el("small", { class: "muted" }, `and ${entries.length - SHOWN} more, in the filters`));
      list.replaceChildren(...parts);
    };
    state.on("legend", fill);
    fill();
    return legend;
  };
})();
