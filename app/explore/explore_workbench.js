/* The workbench put together: filters, grid and map side by side, what is above them, and what
   keeps them up to date. */
(() => {
  "use strict";
  const { el, icon } = studio.explore;
  const explore = studio.explore;
  const BUSY = 1500, IDLE = 8000; // milliseconds between looks at what the server says
  const REST = 90; // milliseconds without another arrow key until the image panel follows
  const SIDE = [["filters", "Filters"], ["image", "Image"], ["findings", "Findings"]];
  const SORTS = [["file", "File order"], ["class", "Class"], ["loss", "Loss, highest first", "loss"],
    ["confidence", "Confidence, lowest first", "confidence"], ["match", "Caption match, worst first", "match"],
    ["score", "Search score", "score"], ["random", "Random"]];
  const TOOLS = [["pan", "Move (P)", "M8 12V6.5a1.5 1.5 0 0 1 3 0V11m0-.5V5a1.5 1.5 0 0 1 3 0v5.5m0-3a1.5 1.5 0 0 1 3 0V14c0 4-2 6.500-5.500 6.500S7 18.500 5 14.500c-.8-1.600 1-2.500 2-1.300L8 14"],
    ["lasso", "Lasso (L)", "M12 4c5 0 8.500 2.200 8.500 5.500S17 15 12 15 3.500 12.800 3.500 9.500 7 4 12 4zM8 14.500c-1 1.500-.5 3 1 3s1.500 2-.5 3"],
    ["box", "Box (B, or drag with Shift)", "M4 4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M4 8V4M12 4h.01M12 20h.01M4 12h.01M20 12h.01"]];

  /* A select whose options may come and go with what is known. */
  const chooser = (label, pick) => {
    const select = el("select", { "aria-label": label, onchange: () => pick(select.value) });
    select.fill = (options, value) => {
      const key = JSON.stringify(options);
      if (select.key !== key) select.replaceChildren(...options.map(([name, words]) => el("option", { value: name }, words)));
      select.key = key;
      select.value = value;
      select.title = select.selectedOptions[0]?.textContent ?? ""; // a long one may be cut
    };
    return select;
  };
  const tabs = (entries, choose) => {
    const buttons = entries.map(([name, words]) => el("button", { type: "button", role: "tab", "data-name": name, onclick: () => choose(name) }, words));
    const bar = el("div", { class: "x-tabs", role: "tablist" }, buttons);
    bar.mark = (name) => buttons.forEach((button) => button.setAttribute("aria-selected", button.dataset.name === name));
    return bar;
  };

  const side = (state) => {
    const panels = { filters: explore.filters(state), image: explore.imagePanel(state), findings: explore.findingsPanel(state) };
    for (const [name, panel] of Object.entries(panels)) Object.assign(panel, { id: `x-panel-${name}` }).setAttribute("role", "tabpanel");
    const bar = tabs(SIDE, (name) => choose(name));
    bar.setAttribute("aria-label", "What the left side shows");
    const choose = (name) => {
      bar.mark(name);
      for (const [key, panel] of Object.entries(panels)) panel.hidden = key !== name;
    };
    choose("filters");
    state.on("pin", () => { // a finding that is looked at stays in sight
      if (state.pinned >= 0) choose("image");
    });
    let rest;
    state.on("cursor", () => { // the arrow keys of the grid: the image panel, if it shows, follows them
      clearTimeout(rest);
      if (panels.image.checkVisibility()) rest = setTimeout(() => explore.pin(state, state.cursor, "replace"), REST);
    });
    const aside = el("aside", { class: "x-side card", "aria-label": "Filters, image, findings" }, bar, el("div", { class: "x-panels" }, Object.values(panels)));
    return Object.assign(aside, { choose });
  };

  const gridSide = (state) => {
    const words = el("b", { class: "num", "aria-live": "polite" });
    const sort = chooser("Sort by", (name) => state.sortBy(name));
    const holder = el("div", { class: "x-holder" });
    const frame = el("section", { class: "x-grid card", "aria-label": "Images" });
    const size = el("input", { type: "range", min: 56, max: 260, "aria-label": "Size of the thumbnails", oninput: () => frame.grid.zoom(Number(size.value)) });
    const sync = () => {
      const shown = state.order.length;
      words.textContent = shown === state.n ? explore.count(shown, "image") : `${shown.toLocaleString("en")} of ${explore.count(state.n, "image")}`;
      sort.fill(SORTS.filter(([, , needs]) => !needs || state.values[needs]), state.sort);
    };
    frame.append(el("div", { class: "x-bar" }, words, el("span", { class: "grow" }),
      el("button", { type: "button", class: "quiet", onclick: () => state.select(state.order) }, "Select all"), sort, size), explore.chips(state), holder, explore.selectionBar(state));
    explore.whenPlaced(holder, () => {
      frame.grid = new explore.Grid(state, holder);
      size.value = frame.grid.side;
    });
    state.on("order search values", sync);
    sync();
    return frame;
  };

  const mapSide = (state) => {
    const canvas = el("div", { class: "x-canvas", "data-tool": "pan" });
    const wait = el("div", { class: "x-wait" });
    canvas.append(wait);
    const colour = chooser("Color by", (name) => { state.colourBy(name); explore.address.set({ colour: name === "class" ? null : name }); });
    const run = chooser("Run whose picks and predictions are shown", (id) => explore.chooseRun(state, id ? Number(id) : null));
    const view = chooser("Embedding", (name) => explore.show(state, { view: name }));
    const method = chooser("Projection", (name) => explore.show(state, { method: name }));
    const arrows = el("button", { type: "button", class: "x-tool", "aria-pressed": "false", title: "Arrows from where images lie to where their captions move them", "aria-label": "Arrows to where captions move the images" }, icon("M4 20 19 5M10 5h9v9"));
    const toolButtons = TOOLS.map(([name, words, path]) => el("button", { type: "button", class: "x-tool", "data-tool": name, title: words, "aria-label": words, onclick: () => canvas.hands.choose(name) }, icon(path)));
    const mark = (tool) => toolButtons.forEach((button) => button.setAttribute("aria-pressed", button.dataset.tool === tool));
    const on = (path, words, act) => el("button", { type: "button", class: "x-tool", title: words, "aria-label": words, onclick: act }, icon(path));
    const foot = el("div", { class: "x-foot" }, el("div", { class: "x-tools" }, arrows, toolButtons, el("i", {}), // below the map: it hides no point
      on("M12 5v14M5 12h14", "Zoom in (+)", () => canvas.map.zoom(1.6)), on("M5 12h14", "Zoom out (−)", () => canvas.map.zoom(1 / 1.6)),
      on("M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5", "Show all (0)", () => canvas.map.fit())));
    const frame = el("section", { class: "x-map card", "aria-label": "Map" },
      el("div", { class: "x-bar" }, el("label", { class: "x-inline" }, el("span", {}, "Color"), colour), run, el("span", { class: "grow" }), el("span", { class: "x-inline" }, view, method)),
      explore.chips(state), canvas, foot);
    const sync = () => {
      const ready = new Set(state.map.ready);
      const { points } = state;
      colour.fill(explore.MODES.filter(({ needs }) => !needs || state.values[needs]).map(({ name, words }) => [name, words]), state.colour);
      run.fill([["", "no run"], ...state.runs.map((one) => [String(one.id), `#${one.id} ${one.name}`])], state.run ? String(state.run) : "");
      run.hidden = !state.runs.length;
      method.fill(["umap", "pca"].filter((name) => ready.has(name)).map((name) => [name, name.toUpperCase()]), points?.method ?? "");
      const texts = points && ready.has(`${points.method}-text`);
      view.fill([["image", "Image alone"], ...(texts ? [["text", "With captions"]] : [])], points?.view ?? "image");
      arrows.hidden = !texts;
      for (const select of [view, method]) select.hidden = select.options.length < 2;
      explore.progress(state, wait);
    };
    explore.whenPlaced(canvas, () => {
      canvas.map = new explore.MapView(state, canvas);
      canvas.hands = new explore.Hands(canvas.map, mark);
      canvas.hands.choose("pan");
      foot.prepend(explore.legend(state, canvas.map));
      arrows.addEventListener("click", () => explore.toggleArrows(state, canvas.map, arrows));
    });
    state.on("state values points runs colour", sync);
    sync();
    return frame;
  };

  /* Once an element is in the page and has a size: canvases and grids measure it. */
  explore.whenPlaced = (element, act) => (explore.placed ??= []).push([element, act]);

  explore.workbench = (root, start, columns, data) => {
    const state = new explore.State(start, columns);
    explore.state = state;
    const status = el("span", { class: "x-status muted", role: "status" });
    explore.status = (words) => (status.textContent = words);
    explore.toast = el("div", { class: "x-toast", role: "status" });
    const picker = chooser("Dataset", (id) => location.assign(`/explore?dataset=${id}`));
    picker.fill(start.datasets.map(([id, name]) => [String(id), name]), String(start.dataset.id));
    const left = side(state);
    const parts = tabs([["map", "Map"], ["grid", "Grid"], ...SIDE], (name) => part(name));
    parts.classList.add("x-parts");
    parts.setAttribute("aria-label", "Part of the workbench");
    const part = (name) => {
      const inside = SIDE.some(([one]) => one === name);
      root.dataset.part = inside ? "side" : name;
      parts.mark(name);
      if (inside) left.choose(name);
    };
    part("map");
    state.on("pin", () => { if (state.pinned >= 0 && matchMedia("(max-width: 860px)").matches) part("image"); });
    root.replaceChildren(
      el("header", { class: "x-top" }, el("h1", { class: "x-title" }, "Explore"), picker, explore.searchForm(state), status,
        start.dataset.attribution ? el("p", { class: "attribution" }, start.dataset.attribution) : null), parts,
      el("div", { class: "x-body" }, left, gridSide(state), mapSide(state)), explore.toast);
    for (const [element, act] of explore.placed.splice(0)) act(element);
    explore.follow(state, data);
  };
  explore.BUSY = BUSY;
  explore.IDLE = IDLE;
})();
