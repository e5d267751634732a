/* The pinned image: large, with its facts, its neighbours and what was changed of it. */
(() => {
  "use strict";
  const { el } = studio.explore;
  const explore = studio.explore;
  const KEPT = 400; // images whose facts are remembered
  const kept = new Map();

  /* Facts of an image from the server, remembered until the dataset changes. */
  explore.facts = (state, row) => {
    const key = `${state.revision}/${state.ids[row]}`;
    if (!kept.has(key)) {
      if (kept.size >= KEPT) kept.delete(kept.keys().next().value);
      const facts = studio.fetchJson(`/explore/${state.dataset.id}/image/${state.ids[row]}`);
      facts.catch(() => kept.delete(key));
      kept.set(key, facts);
    }
    return kept.get(key);
  };

  /* Pin a row (−1: none). Every image has an address: `entry` says whether it becomes a new entry
     of the history ("push"), takes the place of the last one ("replace"), or is there already (null). */
  explore.pin = (state, row, entry = "push") => {
    if (row === state.pinned) return;
    state.pin(row);
    if (entry) explore.address.set({ image: row < 0 ? null : state.ids[row] }, entry === "push");
    lookNear(state);
  };
  const lookNear = async (state) => {
    const row = state.pinned;
    if (row < 0 || !state.map.ready.includes("space")) return;
    const near = await studio.fetchJson(`/explore/${state.dataset.id}/neighbours/${state.ids[row]}`)
      .catch((error) => ({ rows: [], error: error.message }));
    if (state.pinned !== row) return;
    state.near = near;
    state.emit("near");
  };

  const small = (state, row, words) =>
    el("button", { type: "button", class: "x-small", title: `${state.label(row)}${words ? ` · ${words}` : ""}`,
      "aria-label": `Show image ${state.ids[row]}, ${state.label(row)}`,
      onclick: () => explore.pin(state, row), onpointerenter: () => state.hover(row), onpointerleave: () => state.hover(-1) },
      el("img", { src: state.thumb(row), alt: "", loading: "lazy" }), words ? el("small", { class: "num" }, words) : null);
  explore.small = small;

  const written = (change) => {
    const shown = (value) => value ?? "none";
    if (change.kind === "excluded") return change.value === "yes" ? "excluded from the pool" : "put back into the pool";
    return `${change.kind}: ${shown(change.previous)} → ${shown(change.value)}`;
  };
  const fact = (term, ...value) => el("div", {}, el("dt", {}, term), el("dd", {}, ...value));

  const labelSelect = (state, row) => {
    const select = el("select", { "aria-label": "Label of this image", "data-key": "label", onchange: () =>
      explore.change(state, "label", [row], select.value === "" ? null : Number(select.value)) },
      el("option", { value: "" }, "no label"), state.classes.map((name, label) => el("option", { value: label }, name)));
    select.value = state.labels[row] < 0 ? "" : state.labels[row];
    return select;
  };
  const drafts = new Map(); // captions typed and not saved, by image: they outlive the panel's rebuilding
  const captionForm = (state, row, caption, show) => {
    const [id, stored] = [state.ids[row], caption ?? ""];
    const field = el("textarea", { rows: 2, "aria-label": "Caption", placeholder: "No caption yet; write one sentence", class: "x-input",
      "data-key": "caption", value: drafts.get(id) ?? stored });
    const save = el("button", { type: "submit", class: "quiet", "data-key": "caption", hidden: field.value === stored }, "Save caption");
    field.addEventListener("input", () => {
      save.hidden = field.value === stored;
      if (save.hidden) drafts.delete(id);
      else drafts.set(id, field.value);
    });
    return el("form", { class: "x-stack", onsubmit: async (event) => {
      event.preventDefault();
      const typed = field.value;
      drafts.delete(id);
      if (await explore.change(state, "caption", [row], typed.trim() || null)) return;
      if (!drafts.has(id)) drafts.set(id, typed); // nothing was typed since
      show();
    } }, field, save);
  };

  /* Put other content into the panel; what had the focus has it again. Saving a caption hides its
     button: the focus goes to the field, which has the same key. */
  const replace = (panel, ...content) => {
    const old = panel.contains(document.activeElement) ? document.activeElement : null;
    const [key, from, to] = [old?.dataset.key, old?.selectionStart, old?.selectionEnd];
    panel.replaceChildren(...content);
    const fresh = key && panel.querySelector(`[data-key="${key}"]`);
    if (!fresh) return;
    fresh.focus({ preventScroll: true });
    if (old.tagName === "TEXTAREA") fresh.setSelectionRange(from, to);
  };

  explore.imagePanel = (state) => {
    const panel = el("div", { class: "x-image" });
    const nearby = el("div", { class: "x-strip" });
    const showNear = () => {
      if (state.pinned < 0) return;
      if (state.near?.error) nearby.replaceChildren(el("p", { class: "notice notice-error", role: "alert" }, state.near.error));
      else if (!state.near) nearby.replaceChildren(el("p", { class: "muted" },
        state.map.ready.includes("space") ? "Looking…" : "They are known once the map has been computed."));
      else nearby.replaceChildren(...state.near.rows.map((row, k) => small(state, row, state.near.similarities[k].toFixed(2))));
    };
    const show = async () => {
      const row = state.pinned;
      if (row < 0) {
        panel.replaceChildren(el("p", { class: "muted x-hint" },
          "Click an image in the grid or a point on the map: it is shown here, large, with its nearest neighbours."));
        return;
      }
      let facts;
      try {
        facts = await explore.facts(state, row);
      } catch (error) {
        if (state.pinned !== row) return;
        panel.replaceChildren(el("p", { class: "notice notice-error", role: "alert" }, error.message));
        return;
      }
      if (state.pinned !== row) return;
      const { predicted, confidence, loss, round, match } = state.values;
      const number = (values, digits = 2) => (values && values[row] === values[row] ? values[row].toFixed(digits) : null);
      const wrong = predicted && predicted[row] >= 0 && state.labels[row] >= 0 && predicted[row] !== state.labels[row];
      replace(panel,
        el("div", { class: "x-image-head" }, el("b", { title: facts.file_name }, facts.file_name.split("/").pop()),
          el("button", { type: "button", class: "quiet x-close", "aria-label": "Unpin the image", onclick: () => explore.pin(state, -1) }, "✕")),
        el("a", { href: facts.image, class: "x-large", target: "_blank", rel: "noopener", title: "Open the original" },
          el("img", { src: facts.image, alt: facts.caption ?? `${state.label(row)}, ${facts.file_name}` })),
        el("dl", { class: "facts" },
          fact("Label", labelSelect(state, row)),
          predicted && predicted[row] >= 0 ? fact("Predicted", `${wrong ? "✕ " : "✓ "}${state.className(predicted[row])}`,
            number(confidence) ? ` (${Math.round(100 * confidence[row])}%)` : "") : null,
          number(loss) ? fact("Loss", number(loss)) : null,
          round?.[row] ? fact("Picked", `in round ${round[row]}`) : null,
          number(match) ? fact("Caption match", number(match)) : null,
          fact("Split", state.split(row), state.excluded[row] ? ", excluded from the pool" : ""),
          fact("Size", `${facts.width} × ${facts.height} px`),
          fact("File", facts.file_name)),
        captionForm(state, row, facts.caption, show),
        el("div", { class: "x-row" },
          el("button", { type: "button", onclick: () => explore.searchLike(state, row) }, "Find similar"),
          el("button", { type: "button", "data-key": "excluded", onclick: () => explore.change(state, "excluded", [row], !state.excluded[row]) },
            state.excluded[row] ? "Put back" : "Exclude"),
          el("button", { type: "button", class: "quiet", onclick: async (event) => {
            event.target.textContent = (await studio.copy(location.href)) ? "Copied" : "Copy it from the address bar";
          } }, "Copy link")),
        el("h3", {}, "Nearest images"), nearby,
        facts.history.length ? el("details", {}, el("summary", {}, el("h3", {}, `Changes (${facts.history.length})`)),
          el("ul", { class: "x-history" }, facts.history.map((change) => el("li", {}, written(change), el("small", {},
            `${change.by}, ${new Date(change.at).toLocaleString()}`))))) : "");
      showNear();
    };
    state.on("pin columns values", show);
    state.on("near", showNear);
    addEventListener("studio:back", () => { // ask again for what the studio's absence cost
      show();
      if (!state.near?.rows.length) lookNear(state);
    });
    show();
    return panel;
  };
})();
