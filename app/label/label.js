/* One labeling task: the images of a subset, one at a time or as a grid. Labels live in the
   database; this script keeps the current image and the labels that are not saved yet. */
(() => {
  "use strict";
  const FEW = 10; // classes within reach of number keys; with more, letter keys search
  const MAX_RETRIES = 8; // of suggestions, while the inference process is busy or starting
  const RETRY_DELAY = 15_000; // milliseconds
  const make = (studio.make ??= (tag, props = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), props);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  });

  const mount = async (host) => {
    const subset = +host.dataset.labeler;
    if (host.labeler?.subset === subset) return;
    const work = (host.labeler = { subset, host, at: 0, filter: "", suggested: new Map(), status: "", suggestionsFailed: false, problem: "", times: [], skipped: new Set(), retries: 0 });
    work.queue = studio.labelQueue(subset, (waiting, problem, { refused, undone, shown } = {}) => {
      work.problem = problem;
      if (refused) refresh(work).then(() => show(work), () => {}); // the server is away: retried later
      if (undone) showUndone(work, undone, !shown);
      else show(work);
      if (!waiting && left(work) === 0) dispatchEvent(new Event("studio:go")); // shows the next step
    });
    try {
      await refresh(work);
    } catch (error) {
      host.labeler = null; // loaded again at the next redraw, or when the server is back
      const sentence = error.status ? error.message : "Could not load the images. The page tries again automatically.";
      host.replaceChildren(make("p", { className: "notice notice-error", role: "alert", textContent: sentence }));
      return;
    }
    work.queue.flush();
    work.grid = new URLSearchParams(location.search).get("view") === "grid";
    const imageId = +new URLSearchParams(location.search).get("image");
    const index = work.images.findIndex((image) => image.id === imageId);
    work.at = index >= 0 ? index : Math.max(0, next(work, -1));
    show(work);
    suggest(work);
  };
  const refresh = async (work) => {
    Object.assign(work, await studio.fetchJson(`/label/${work.subset}/state`));
    applyWaiting(work);
  };
  const applyWaiting = (work) => { // labels that are not saved yet
    for (const one of work.queue.waiting) apply(work, one.undo ? one.values ?? {} : one);
  };
  const apply = (work, values) => {
    for (const image of work.images) if (image.id in values) image.label = values[image.id];
  };
  const left = (work) => work.images.filter((image) => image.label === null).length;

  /* Index of the next unlabeled image after `from`, cyclic; skipped ones come last. −1: none. */
  const next = (work, from) => {
    const count = work.images.length;
    for (const again of [false, true])
      for (let step = 1; step <= count; step++) {
        const at = (from + step + count) % count;
        const image = work.images[at];
        if (image.label === null && (again || !work.skipped.has(image.id))) return at;
      }
    return -1;
  };

  const suggest = async (work) => {
    const ids = work.images.filter((i) => i.label === null && !work.suggested.has(i.id)).map((i) => i.id);
    if (work.classes.length < 2 || !ids.length) return;
    work.suggestionsFailed = false;
    work.status = "Computing suggestions …";
    show(work);
    try {
      for (let start = 0; start < ids.length; start += 500) {
        const part = ids.slice(start, start + 500);
        const { labels, confidences } = await studio.fetchJson(`/label/${work.subset}/suggestions`, { ids: part });
        part.forEach((id, i) => work.suggested.set(id, { label: labels[i], confidence: confidences[i] }));
      }
      work.status = "";
    } catch (error) {
      work.status = `Suggestions are unavailable: ${error.message} You can label without them.`;
      work.suggestionsFailed = true;
      if (error.status === 503 && work.retries++ < MAX_RETRIES)
        setTimeout(() => work.host.isConnected && suggest(work), RETRY_DELAY);
    }
    show(work);
  };

  /* Label images ({id: class index}) and move on to the next unlabeled one. */
  const label = (work, values) => {
    const were = Object.fromEntries(work.images.map((image) => [image.id, image.label]));
    apply(work, values);
    const ids = Object.keys(values);
    const now = Date.now();
    work.times.push(...ids.map(() => now));
    if (!work.grid && !Object.values(values).includes(null)) { // an image whose label was removed stays in view
      const to = next(work, work.at);
      if (to >= 0) work.at = to;
    }
    work.filter = "";
    work.queue.put(values, were); // before `show`, which counts the labels being saved
    show(work);
  };
  const undo = (work) => {
    const were = work.queue.undo();
    if (were) showUndone(work, were, true);
    else show(work);
  };
  const showUndone = (work, values, goThere) => {
    apply(work, values);
    applyWaiting(work);
    const at = work.images.findIndex((image) => image.id in values);
    if (goThere && at >= 0) work.at = at;
    if (left(work) > 0 && !work.queue.waiting.length) dispatchEvent(new Event("studio:go"));
    show(work);
    suggest(work);
  };
  const skip = (work) => {
    work.skipped.add(work.images[work.at].id);
    const to = next(work, work.at);
    work.at = to >= 0 ? to : (work.at + 1) % work.images.length;
    show(work);
  };
  const move = (work, step) => {
    work.at = (work.at + step + work.images.length) % work.images.length;
    show(work);
  };
  const addClasses = async (work, names) => {
    await work.queue.flush();
    const before = work.classes.length;
    try {
      work.classes = (await studio.fetchJson(`/label/${work.subset}/classes`, { names })).classes;
      work.problem = "";
      if (work.classes.length > before) work.suggested.clear(); // suggestions depend on the classes
    } catch (error) {
      work.problem = error.message;
    }
    show(work);
    suggest(work);
    return work.classes.indexOf(names[0]);
  };
  const found = (work) => {
    const wanted = work.filter.trim().toLowerCase();
    return work.classes.map((name, index) => ({ name, index }))
      .filter(({ name }) => !wanted || name.toLowerCase().includes(wanted));
  };
  const pace = (work) => {
    const recent = work.times.filter((time) => Date.now() - time < 300_000);
    if (recent.length < 3) return "";
    const minutes = (Date.now() - recent[0]) / 60_000;
    if (minutes < 0.02) return "";
    const speed = recent.length / minutes;
    const rest = left(work) ? `, about ${studio.span((60 * left(work)) / speed)} left` : "";
    return ` · ${Math.round(speed)} per minute${rest}`;
  };

  const show = (work) => {
    if (!work.images) return;
    const total = work.images.length;
    const done = total - left(work);
    const address = new URL(location.href);
    if (work.grid) address.searchParams.set("view", "grid");
    else address.searchParams.delete("view");
    address.searchParams.set("image", work.images[work.at]?.id ?? "");
    if (address.href !== location.href && +address.searchParams.get("subset") === work.subset)
      history.replaceState({}, "", address.pathname + address.search);
    const waiting = work.queue.waiting.length;
    const head = make("div", { className: "label-head" },
      make("div", { className: "progress" },
        make("div", { className: "progress-words" },
          make("span", { textContent: `${done} of ${total} labeled${pace(work)}` }),
          make("span", { className: "num", textContent: waiting ? `Saving ${waiting} …` : done ? "Saved" : "" })),
        Object.assign(make("progress", { max: total, value: done }), { ariaLabel: "Labeled images" })),
      tab(work, "Single image", false), tab(work, "Grid", true));
    const notice = work.problem
      ? make("p", { className: "notice notice-error", role: "alert", textContent: work.problem }) : null;
    const body = !work.classes.length ? studio.labelClasses(work)
      : work.grid ? studio.labelGrid(work) : studio.labelOne(work);
    const held = document.activeElement;
    const within = work.host.contains(held);
    work.host.replaceChildren(head, ...[notice].filter(Boolean), body);
    if (within || held === document.body) refocus(work, within ? held.name : ""); // focus elsewhere stays there
    if (!work.grid) for (const step of [1, 2]) // preload the next images
      new Image().src = work.images[(work.at + step) % total].image;
  };
  const refocus = (work, name) => {
    const same = name && (name === "filter" || work.grid)
      ? work.host.querySelector(`[name="${CSS.escape(name)}"]`) : null;
    (same ?? work.host.querySelector(".label-one, .label-grid"))?.focus({ preventScroll: true });
    if (same && name === "filter") same.setSelectionRange(same.value.length, same.value.length);
  };
  const tab = (work, name, grid) => make("button", {
    type: "button", name: `tab-${grid}`, className: "quiet", textContent: name, ariaPressed: String(!!work.grid === grid),
    onclick: () => { work.grid = grid; show(work); },
  });

  studio.labeling = { FEW, label, undo, skip, move, addClasses, found, suggest, show };

  const keys = (event) => {
    const work = document.querySelector("[data-labeler]")?.labeler;
    if (!work?.images || !work.classes.length || work.grid || document.querySelector("dialog[open], .tour")) return;
    const key = event.key;
    if (key === "z" && (event.ctrlKey || event.metaKey) && event.target.value === undefined) { event.preventDefault(); return undo(work); }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const filtering = event.target.name === "filter";
    if (!filtering && event.target.closest?.("input, select, textarea, a, summary")) return;
    const onButton = event.target.tagName === "BUTTON";
    const shown = found(work);
    if (/^[0-9]$/.test(key) && !filtering) { // class names may contain digits
      const hit = shown[(+key + 9) % 10];
      if (!hit) return;
      event.preventDefault();
      return label(work, { [work.images[work.at].id]: hit.index });
    }
    if (key === "Escape" && filtering) { work.filter = ""; event.target.value = ""; event.target.blur(); return show(work); }
    if (key === "Enter" && !onButton) {
      event.preventDefault();
      const image = work.images[work.at];
      if (work.filter.trim()) {
        if (shown.length) return label(work, { [image.id]: shown[0].index });
        return studio.labelNew(work);
      }
      const suggestion = work.suggested.get(image.id);
      if (suggestion && image.label === null) return label(work, { [image.id]: suggestion.label });
      return move(work, 1);
    }
    if (filtering) return;
    if (key === "ArrowLeft" || key === "ArrowRight") { event.preventDefault(); return move(work, key === "ArrowLeft" ? -1 : 1); }
    if (key === " " && !onButton) { event.preventDefault(); return skip(work); }
    if (work.classes.length <= FEW) {
      if (key === "s") return skip(work);
      if (key === "u") return undo(work);
    } else if (key.length === 1 && /\S/.test(key)) { // letter keys search for a class
      event.preventDefault();
      work.filter += key;
      show(work);
      work.host.querySelector("[name=filter]")?.focus();
    }
  };
  document.addEventListener("keydown", keys);
  const all = () => document.querySelectorAll("[data-labeler]").forEach(mount);
  document.addEventListener("studio:shown", all);
  addEventListener("studio:back", all);
})();
