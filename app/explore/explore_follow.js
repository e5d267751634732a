/* What keeps the workbench in step with the server: the map as it is computed, runs, other tabs. */
(() => {
  "use strict";
  const { el } = studio.explore;
  const explore = studio.explore;

  let wished = null; // the coordinates that are being fetched: only the newest wish is shown
  /* Show other coordinates; the map glides there. A wish made while another is under way adds to
     it. Whether it was shown. */
  const place = async (state, wish) => {
    const mine = (wished = { method: state.points?.method, view: state.points?.view ?? "image", ...wished, ...wish });
    try {
      const points = await explore.coordinates(state, mine.method, mine.view);
      if (mine !== wished) return false;
      state.place({ ...points, ...mine });
      return true;
    } catch (error) {
      if (mine !== wished) return false;
      throw error;
    } finally {
      if (mine === wished) wished = null;
    }
  };
  explore.show = async (state, wish) => {
    try {
      if (!(await place(state, wish))) return;
      const { method, view } = state.points;
      explore.address.set({ method, view: view === "image" ? null : view });
    } catch (error) {
      explore.say(error.message);
      state.emit("state"); // the choosers say again what is shown
    }
  };
  const fetched = new Map();
  explore.coordinates = (state, method, view) => {
    const key = `${method}/${view}/${state.map.task}`;
    if (!fetched.has(key)) {
      const points = explore.fetchPoints(state.dataset.id, { method, view });
      points.catch(() => fetched.delete(key));
      fetched.set(key, points);
    }
    return fetched.get(key);
  };
  explore.toggleArrows = async (state, map, button) => {
    const { method, view } = state.points;
    const off = map.arrows !== null;
    try {
      map.arrows = off ? null : (await explore.coordinates(state, method, view === "image" ? "text" : "image")).xy;
    } catch (error) {
      explore.say(error.message);
    }
    button.setAttribute("aria-pressed", map.arrows !== null);
    map.overlay.draw();
    if (!explore.arrowsFollow) state.on("points", () => { // arrows lead to the other view: turn them round
      if (map.arrows) { map.arrows = null; explore.toggleArrows(state, map, button); }
    });
    explore.arrowsFollow = true;
  };

  explore.chooseRun = async (state, id) => {
    explore.address.set({ run: id });
    state.run = id;
    let values = {};
    try {
      if (id) values = await studio.fetchBundle(`/explore/${state.dataset.id}/values.bin?run=${id}`);
      if (state.run !== id) return;
    } catch (error) {
      if (state.run !== id) return;
      state.run = null;
      explore.say(error.message);
    }
    const { predicted, confidence, loss, round } = values;
    const { score, match } = state.values; // no run's; they may have come meanwhile
    const known = Object.entries({ predicted, confidence, loss, round, score, match }).filter(([, value]) => value);
    state.values = Object.fromEntries(known);
    state.emit("values");
    state.refilter();
  };

  /* In the map's place while there is none; beside its edge while it gets better. */
  explore.progress = (state, place) => {
    const { map, points, idle } = state;
    place.classList.toggle("is-small", Boolean(points));
    const problem = map.state === "failed" ? el("p", { class: "notice notice-error", role: "alert" }, map.error ?? "The map could not be finished.") : null;
    if (map.outdated && points) return place.replaceChildren(el("div", { class: "x-making" }, problem,
      el("p", {}, "Captions have changed since this map was drawn."),
      el("button", { type: "button", class: "quiet", onclick: () => make(state) }, "Draw it again")));
    if (map.ended && points) return place.replaceChildren(...[problem].filter(Boolean));
    if (map.state === "failed" || map.state === "canceled") return place.replaceChildren(el("div", { class: "empty" },
      el("h3", {}, "The map could not be computed"), el("p", {}, map.error ?? "It was canceled."),
      el("button", { type: "button", onclick: () => make(state) }, "Try again")));
    const words = map.stage || (map.state === "running" ? "Starting" : "Waiting for the worker");
    const bar = el("progress", { "aria-label": words });
    if (map.total) Object.assign(bar, { max: map.total, value: map.done });
    return place.replaceChildren(el("div", { class: "x-making", role: "status" },
      points ? null : el("h3", {}, "The map is being computed"),
      el("p", {}, words, map.total ? el("span", { class: "num muted" }, ` ${map.done.toLocaleString("en")} of ${map.total.toLocaleString("en")}`) : null,
        el("span", { class: "muted" }, left(map))), bar,
      idle ? el("p", { class: "muted" }, idle) : null,
      points ? null : el("p", { class: "muted" }, "Images that look alike will lie close together. The grid and the filters work already.")));
  };
  let first = null; // when this stage was first seen, and how far it was
  const left = (map) => {
    if (first?.stage !== map.stage || first.done > map.done) first = { stage: map.stage, done: map.done, time: performance.now() };
    const [time, ready] = [performance.now() - first.time, map.done - first.done];
    return time > 2000 && ready > 0 && map.total ? ` · ${studio.span((time / ready / 1000) * (map.total - map.done))} left` : "";
  };
  let unheard = false; // whether the wish for a map was lost on its way: the next look repeats it
  const make = async (state) => {
    try {
      await studio.fetchJson(`/explore/${state.dataset.id}/map`, {});
      unheard = false;
    } catch (error) {
      unheard = error.name === "TypeError";
      if (!unheard) explore.say(error.message);
      return;
    }
    await look(state).catch(() => {});
  };

  const RANK = ["umap", "pca"];
  let behind = null; // the map as it was, until all of a newer one has been fetched
  /* Take what the server says now: a better map, new runs, an edit made elsewhere. */
  const look = async (state) => {
    const now = await studio.fetchJson(`/explore/${state.dataset.id}/state.json`);
    const before = (behind ??= state.map);
    const redrawn = now.map.ended && !before.ended && before.ready.length > 0;
    const missing = !state.points && now.map.ready.length > 0;
    const grown = redrawn || missing || now.map.ready.length > before.ready.length || now.map.task !== before.task;
    if (redrawn) { // what was fetched meanwhile is the older map's
      fetched.clear();
      delete state.values.match;
    }
    Object.assign(state, { map: now.map, runs: now.runs, idle: now.idle });
    if (JSON.stringify(now.subsets) !== JSON.stringify(state.subsets)) {
      state.subsets = now.subsets;
      state.emit("subsets");
    }
    state.emit("state");
    if (now.revision !== state.revision) await explore.reload(state);
    if (grown) await better(state, before, redrawn);
    behind = null;
  };
  const better = async (state, before, redrawn) => {
    const chosen = explore.address.get("method"); // a projection chosen by hand stays
    const best = [chosen, ...RANK].find((name) => RANK.includes(name) && state.map.ready.includes(name));
    const stays = state.points && (chosen || wished || best === state.points.method);
    if (best && (redrawn || !stays)) await place(state, stays ? {} : { method: best, view: "image" });
    if (state.map.ready.includes("caption-match") && !state.values.match) await match(state);
    if (state.pinned >= 0 && !before.ready.includes("space")) {
      const row = state.pinned;
      state.pinned = -1;
      explore.pin(state, row, null);
    }
  };
  const match = async (state) => {
    const { v } = await studio.fetchBundle(`/explore/${state.dataset.id}/caption-match.bin`);
    if (v.every((value) => value !== value)) return; // no image has a caption
    state.values.match = v;
    state.emit("values");
    if (state.sort === "match") state.reorder(); // kept from before a reload
  };

  const fromAddress = (state) => {
    const id = explore.address.number("image");
    explore.pin(state, id ? state.rowOf(id) : -1, null);
  };

  explore.follow = async (state, data) => {
    const tell = (error) => explore.say(error.message);
    data.keys.then(({ keys }) => { state.keys = keys; state.emit("keys"); }, tell);
    data.points.then((points) => {
      if (points) state.place({ ...points, method: points.meta.method, view: points.meta.view });
    }, tell).then(() => {
      if (state.map.state === "none") make(state);
      const run = explore.address.number("run") ?? state.runs.find((one) => one.state === "finished")?.id;
      const wishes = [run ? explore.chooseRun(state, run) : null,
        state.map.ready.includes("caption-match") ? match(state).catch(tell) : null];
      fromAddress(state);
      Promise.all(wishes).then(() => {
        const colour = explore.address.get("colour");
        if (colour && explore.MODES.some(({ name }) => name === colour)) state.colourBy(colour);
      });
      setTimeout(tick, explore.BUSY); // only now is it known whether points are missing
    });
    addEventListener("popstate", () => fromAddress(state));
    const tick = async () => {
      // Out of reach for a moment: the next look tells.
      if (!document.hidden) await (unheard ? make(state) : look(state).catch(() => {}));
      setTimeout(tick, state.map.ended && state.points ? explore.IDLE : explore.BUSY);
    };
  };
})();
