/* The grid of thumbnails. Only visible thumbnails are elements, and scrolling reuses them, so a million
   images scroll like fifty. */

import { classColor } from "../shell/class_colors.js";
import { element } from "../shell/dom.js";
import { local } from "../shell/storage.js";
import { movedPlaces } from "./order.js";
import { pin } from "./pin.js";

const GAP = 8;
const TALLEST = 12_000_000; // pixels that an element may be high; beyond it, scrolling is scaled
const SPARE = 2; // rows rendered above and below the visible ones
const SIDE = "studio-thumb-side"; // the stored size of thumbnails

export class Grid {
  constructor(state, frame) {
    this.state = state;
    this.side = Number(local.get(SIDE)) || 104;
    this.cursor = -1; // place in the order
    this.anchor = -1; // where a Shift selection began, or −1
    this.listed = state.order;
    this.tiles = [];
    this.sheet = element("div", { class: "x-sheet", role: "presentation" });
    this.scroller = element("div", { class: "x-scroller", role: "listbox", tabindex: "0", "aria-multiselectable": "true",
      "aria-label": "Images. Arrow keys move, Space selects, Enter shows one, Escape clears." }, this.sheet);
    this.empty = element("p", { class: "x-none muted", hidden: true },
      "No image matches these filters. ", element("button", { type: "button", class: "link", onclick: () => state.clearFilters() }, "Clear filters"));
    frame.append(this.scroller, this.empty);
    this.scroller.addEventListener("scroll", () => this.renderSoon(), { passive: true });
    this.scroller.addEventListener("click", (event) => this.click(event));
    this.scroller.addEventListener("dblclick", (event) => this.open(event));
    this.scroller.addEventListener("keydown", (event) => this.key(event));
    this.scroller.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse") state.hover(this.rowAt(event));
    });
    this.scroller.addEventListener("pointerleave", () => state.hover(-1));
    new ResizeObserver(() => this.layout(true)).observe(this.scroller);
    state.on("order", () => this.reordered());
    state.on("selection columns keys values pin", () => this.render(true));
    state.on("hover", () => this.mark());
    this.layout();
  }
  rowAt(event) {
    const tile = event.target.closest(".x-tile");
    return tile ? Number(tile.dataset.row) : -1;
  }

  /* A new order starts at its top. One that only lacks some rows keeps its scroll position: they may
     have been labeled while the filter is "not labeled". */
  reordered() {
    const { order } = this.state;
    const { listed, first } = this;
    const moved = movedPlaces(listed, order);
    const top = moved?.[first] ?? first;
    this.listed = order;
    if (moved && order.length === listed.length) return this.render(true);
    const anchor = listed[this.anchor];
    this.anchor = anchor === undefined ? -1 : order.indexOf(anchor);
    if (moved && this.cursor >= 0) this.cursor = Math.min(moved[this.cursor], order.length - 1);
    else this.cursor = -1;
    if (!moved) this.scroller.scrollTop = 0;
    this.layout();
    if (moved && top !== first) this.reveal(top, true);
  }
  zoom(side) {
    const place = this.first;
    this.side = side;
    local.set(SIDE, side);
    this.layout();
    this.reveal(place ?? 0, true);
  }
  layout(keep = false) {
    const place = keep ? this.first : null;
    const width = this.scroller.clientWidth - 2 * GAP;
    this.high = this.scroller.clientHeight;
    if (width <= 0 || !this.high) return;
    this.columns = Math.max(2, Math.floor((width + GAP) / (this.side + GAP)));
    this.cell = (width + GAP) / this.columns;
    const rows = Math.ceil(this.state.order.length / this.columns);
    this.total = rows * this.cell + GAP;
    this.tall = Math.min(this.total, TALLEST);
    this.sheet.style.height = `${this.tall}px`;
    this.empty.hidden = this.state.order.length > 0;
    if (place && this.columns !== this.columnsBefore) this.reveal(place, true);
    this.columnsBefore = this.columns;
    this.render(true);
  }
  /* The scroll position if the sheet had its full height. */
  get offset() {
    const { scrollTop } = this.scroller;
    if (this.tall === this.total) return scrollTop;
    return (scrollTop / Math.max(1, this.tall - this.high)) * (this.total - this.high);
  }
  renderSoon() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.render();
    });
  }
  render(all = false) {
    if (!this.columns) return;
    const { state, columns, cell } = this;
    const offset = this.offset;
    const shift = this.scroller.scrollTop - offset; // 0 unless scrolling is scaled
    const top = Math.floor(offset / cell);
    this.first = top * columns;
    const from = Math.max(0, top - SPARE) * columns;
    const to = Math.min(state.order.length, (Math.ceil((offset + this.high) / cell) + SPARE) * columns);
    const size = Math.ceil(this.high / cell + 2 * SPARE + 2) * columns;
    while (this.tiles.length > size) this.tiles.pop().remove();
    while (this.tiles.length < size) this.tiles.push(this.tile());
    const used = new Set();
    for (let place = from; place < to; place++) {
      const tile = this.tiles[place % size];
      used.add(tile);
      const [x, y] = [GAP + (place % columns) * cell, GAP + Math.floor(place / columns) * cell + shift];
      tile.style.transform = `translate(${x}px, ${y}px)`;
      tile.style.width = tile.style.height = `${cell - GAP}px`;
      this.fill(tile, place, all);
    }
    for (const tile of this.tiles) if (!used.has(tile)) tile.hidden = true;
    this.mark();
    this.report();
  }
  tile() {
    const tile = element("div", { class: "x-tile", role: "option", hidden: true },
      element("img", { alt: "", decoding: "async", draggable: "false" }), element("i", { class: "x-dot" }), element("span", { class: "x-why" }),
      element("span", { class: "x-tick", "aria-hidden": "true" }));
    this.sheet.append(tile);
    return tile;
  }
  fill(tile, place, all) {
    const { state } = this;
    const row = state.order[place];
    tile.hidden = false;
    if (!all && Number(tile.dataset.row) === row && Number(tile.dataset.place) === place) return;
    tile.dataset.row = row;
    tile.dataset.place = place;
    tile.id = `x-tile-${place}`;
    const picture = tile.firstChild;
    const source = state.keys && state.thumb(row); // without its key, the browser would request a thumbnail twice
    if (source && picture.getAttribute("src") !== source) picture.src = source;
    const chosen = Boolean(state.selected[row]);
    tile.setAttribute("aria-selected", chosen);
    tile.setAttribute("aria-label", `Image ${state.ids[row]}, ${state.label(row)}${state.excluded[row] ? ", excluded" : ""}`);
    tile.classList.toggle("is-pinned", row === state.pinned);
    tile.classList.toggle("is-out", Boolean(state.excluded[row]));
    tile.children[1].style.background = classColor(state.labels[row]);
    const { predicted, loss, score } = state.values;
    const wrong = predicted && state.labels[row] >= 0 && predicted[row] >= 0 && predicted[row] !== state.labels[row];
    tile.children[2].textContent =
      state.sort === "score" && score && !Number.isNaN(score[row]) ? score[row].toFixed(2).replace("-0.00", "0.00")
        : state.sort === "loss" && loss && !Number.isNaN(loss[row]) ? loss[row].toFixed(2)
          : wrong ? `✕ ${state.className(predicted[row])}` : "";
  }
  mark() {
    for (const tile of this.tiles) {
      if (tile.hidden) continue;
      tile.classList.toggle("is-near", Number(tile.dataset.row) === this.state.hovered);
      tile.classList.toggle("is-cursor", Number(tile.dataset.place) === this.cursor);
    }
    if (this.cursor >= 0) this.scroller.setAttribute("aria-activedescendant", `x-tile-${this.cursor}`);
    else this.scroller.removeAttribute("aria-activedescendant");
  }
  /* For tests and benchmarks: how many images are listed, and when the visible ones were loaded. */
  report() {
    document.documentElement.dataset.gridCount = this.state.order.length;
    delete document.documentElement.dataset.gridFilled;
    const token = (this.token = {});
    const shown = this.tiles.filter((tile) => !tile.hidden).map((tile) => tile.firstChild);
    Promise.all(shown.map((image) => image.complete || image.decode().catch(() => {}))).then(() => {
      if (token === this.token) document.documentElement.dataset.gridFilled = Math.round(performance.now());
    });
  }

  reveal(place, atTop = false) {
    const y = Math.floor(place / this.columns) * this.cell;
    let offset = this.offset;
    if (atTop || y < offset) offset = y;
    else if (y + this.cell + GAP > offset + this.high) offset = y + this.cell + GAP - this.high;
    const scaled = this.tall === this.total ? offset : (offset / (this.total - this.high)) * (this.tall - this.high);
    this.scroller.scrollTop = scaled;
  }

  click(event) {
    const tile = event.target.closest(".x-tile");
    if (!tile) return;
    const place = Number(tile.dataset.place);
    const row = Number(tile.dataset.row);
    const ticked = event.target.closest(".x-tick");
    this.cursor = place;
    if (event.shiftKey) this.range(place);
    else if (event.ctrlKey || event.metaKey || ticked || this.state.selectedCount) this.toggle(place);
    else pin(this.state, row);
    if (!event.shiftKey) this.anchor = place;
    this.mark();
  }
  open(event) {
    const row = this.rowAt(event);
    if (row >= 0) pin(this.state, row);
  }
  toggle(place) {
    const row = this.state.order[place];
    this.anchor = place;
    this.state.select([row], !this.state.selected[row]);
  }
  range(place) {
    if (this.anchor < 0) this.anchor = place;
    const [from, to] = [Math.min(this.anchor, place), Math.max(this.anchor, place)];
    this.state.select(this.state.order.subarray(from, to + 1));
  }
  key(event) {
    const { state, columns } = this;
    const last = state.order.length - 1;
    if (last < 0) return;
    const page = Math.max(1, Math.floor(this.high / this.cell)) * columns;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -page, PageDown: page };
    const now = this.cursor < 0 ? (this.first ?? 0) - (steps[event.key] ? steps[event.key] : 0) : this.cursor;
    let to = null;
    if (event.key in steps) to = Math.max(0, Math.min(last, now + steps[event.key]));
    else if (event.key === "Home") to = 0;
    else if (event.key === "End") to = last;
    else if (event.key === " ") this.toggle(Math.max(0, this.cursor));
    else if (event.key === "Enter") pin(state, state.order[Math.max(0, this.cursor)]);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) state.select(state.order);
    else if (event.key === "Escape" && state.selectedCount) state.select([], false, true);
    else if (event.key === "Escape") pin(state, -1);
    else return;
    event.preventDefault();
    if (to === null) return;
    this.cursor = to;
    if (event.shiftKey) this.range(to);
    else this.anchor = to;
    this.reveal(to);
    state.hover(state.order[to]);
    if (!event.shiftKey) state.step(state.order[to]);
    this.render();
  }
};
