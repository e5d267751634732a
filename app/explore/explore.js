/* The Explore workbench: filters, grid and map, linked. This file starts it: it asks for the data
   while the page's head is still being read, so that points are drawn before Gradio has booted. */
(() => {
  "use strict";
  const explore = (studio.explore = { early: null });
  const here = location.pathname.replace(/\/+$/, "") === "/explore";

  /* An element with attributes, listeners ("onclick") and children; text is always text. */
  explore.el = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (typeof value === "boolean" && !name.startsWith("aria-")) element.toggleAttribute(name, value);
      else if (name === "value") element.value = value;
      else element.setAttribute(name, value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
  };
  explore.icon = (path) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [name, value] of Object.entries({
      viewBox: "0 0 24 24", width: 18, height: 18, fill: "none", stroke: "currentColor",
      "stroke-width": 1.8, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true",
    })) svg.setAttribute(name, value);
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", path);
    svg.append(line);
    return svg;
  };
  explore.count = (value, one, many = `${one}s`) =>
    `${value.toLocaleString("en")} ${value === 1 ? one : many}`;

  /* What the view is lives in the address: a reload, the back button and a second tab find it. */
  const query = () => new URLSearchParams(location.search);
  explore.address = {
    get: (name) => query().get(name),
    number: (name) => (/^\d{1,18}$/.test(query().get(name) ?? "") ? Number(query().get(name)) : null),
    set: (values, push = false) => {
      const now = query();
      for (const [name, value] of Object.entries(values))
        if (value === null || value === undefined || value === "") now.delete(name);
        else now.set(name, value);
      const address = `${location.pathname}?${now}`;
      if (address !== location.pathname + location.search)
        history[push ? "pushState" : "replaceState"]({}, "", address);
    },
  };

  /* Which dataset: the address says so, or the page before did, or the server knows the newest. */
  const known = () => {
    const given = explore.address.number("dataset");
    if (given) return given;
    try { return Number(sessionStorage.getItem("studio-dataset")) || null; } catch { return null; }
  };
  const quiet = (promise) => {
    promise.catch(() => {}); // whoever awaits it hears of the error; nobody does before the start
    return promise;
  };
  const fetchPoints = (dataset, words = "") => {
    const wish = new URLSearchParams(words);
    return studio.fetchBundle(`/explore/${dataset}/points.bin?${wish}`);
  };
  explore.fetchPoints = fetchPoints;
  const wanted = () => {
    const wish = {};
    for (const name of ["method", "view"]) if (explore.address.get(name)) wish[name] = explore.address.get(name);
    return wish;
  };
  const fetchAll = (dataset) => ({
    dataset,
    start: quiet(studio.fetchJson(`/explore/start.json?dataset=${dataset}`)),
    columns: quiet(studio.fetchBundle(`/explore/${dataset}/columns.bin`)),
    points: quiet(fetchPoints(dataset, wanted()).catch(() => fetchPoints(dataset)).catch(() => null)),
    keys: quiet(studio.fetchBundle(`/explore/${dataset}/keys.bin`)),
  });
  const fetchNewest = async () => {
    const start = await studio.fetchJson("/explore/start.json");
    if (!start.dataset) return { start, dataset: null };
    return { ...fetchAll(start.dataset.id), start };
  };
  const begin = async () => {
    const dataset = known();
    if (!dataset) return fetchNewest();
    const data = fetchAll(dataset);
    try {
      await data.start;
    } catch (error) {
      if (error.status !== 404 || explore.address.number("dataset")) throw error;
      return fetchNewest(); // the dataset of the page before has been deleted
    }
    return data;
  };

  const say = (root, title, hint, link) =>
    root.replaceChildren(explore.el("div", { class: "empty" },
      explore.el("h1", { class: "x-title" }, "Explore"),
      explore.el("h3", {}, title), explore.el("p", {}, hint), link ?? null));

  const open = async (root) => {
    try {
      const data = await explore.early;
      const start = await data.start;
      if (!start.dataset) {
        say(root, "There is no dataset yet", "Upload images, or take the demo, and they appear here as a map.",
          explore.el("p", {}, explore.el("a", { href: "/", class: "button primary" }, "Go to Data")));
        return;
      }
      explore.address.set({ dataset: start.dataset.id });
      const columns = await data.columns;
      explore.workbench(root, start, columns, data);
      explore.keep(explore.state);
    } catch (error) {
      say(root, "This can't be shown", error.message,
        explore.el("p", {}, explore.el("a", { href: "/explore", class: "button" }, "Show the newest dataset")));
    } finally {
      root.removeAttribute("aria-busy");
    }
  };

  /* The workbench is there before Gradio is; Gradio's component takes it in when it has started. */
  const boot = () => {
    const root = explore.el("div", { class: "live explore", "aria-busy": "true", id: "explore" });
    explore.root = root;
    document.querySelector("header.bar").after(root);
    open(root);
  };
  /* While a button or finger is down nothing is moved: the click would be lost. */
  let held = false, waiting = null;
  const release = () => {
    held = false;
    setTimeout(() => waiting && explore.mount(waiting)); // the click comes first, in this turn
  };
  addEventListener("pointerdown", () => (held = true), true);
  for (const name of ["pointerup", "pointercancel"]) addEventListener(name, release, true);
  explore.mount = (host) => {
    const { root } = explore;
    waiting = held ? host : null;
    if (!root || waiting) return;
    if (host.moveBefore && host.isConnected) return void host.moveBefore(root, null); // keeps all that moving loses
    const scroller = root.querySelector(".x-scroller");
    const [top, focused] = [scroller?.scrollTop, document.activeElement];
    host.append(root);
    if (scroller) scroller.scrollTop = top;
    if (root.contains(focused)) focused.focus({ preventScroll: true });
  };
  if (here) {
    explore.early = quiet(begin());
    document.documentElement.classList.add("exploring");
    document.addEventListener("DOMContentLoaded", boot); // all deferred scripts have run by then
  }
})();
