/* Search by words, by an image dropped or chosen, or by the pinned one: the best matches are ringed
   on the map and come first in the grid. */
(() => {
  "use strict";
  const { el, icon } = studio.explore;
  const explore = studio.explore;
  const RINGED = 24;
  const SLOW = 1200; // milliseconds, after which a sentence says what is being waited for
  let asked = 0;

  const show = (state, rows, scores, words) => {
    state.values.score = new Float32Array(state.n).fill(NaN);
    rows.forEach((row, k) => (state.values.score[row] = scores[k]));
    state.search = { words, hits: rows.slice(0, RINGED) };
    state.emit("values");
    state.emit("search");
    state.sortBy("score");
  };
  explore.clearSearch = (state) => {
    asked++;
    if (!state.search) return;
    state.search = null;
    delete state.values.score;
    if (state.colour === "score") state.colour = "class";
    state.emit("search");
    state.emit("values");
    state.sortBy("file");
  };

  const run = async (state, words, ask) => {
    const mine = ++asked;
    const slow = setTimeout(() => explore.status("The model for searching is starting; the first search takes some seconds …"), SLOW);
    explore.status("Searching …");
    try {
      const found = await ask();
      if (mine !== asked) return;
      const rows = found.rows ?? found.ids.map((id) => state.rowOf(id));
      const scores = found.scores ?? found.similarities;
      const known = rows.map((row, k) => [row, scores[k]]).filter(([row]) => row >= 0);
      show(state, known.map(([row]) => row), known.map(([, score]) => score), words);
    } catch (error) {
      if (mine === asked) explore.say(error.message);
    } finally {
      clearTimeout(slow);
      explore.status("");
    }
  };
  const base = (state) => `/explore/${state.dataset.id}`;
  explore.searchWords = (state, words) =>
    run(state, `“${words}”`, () => studio.fetchJson(`${base(state)}/search?text=${encodeURIComponent(words)}`));
  explore.searchImage = (state, file) => run(state, `images like ${file.name}`, async () => {
    const answer = await fetch(`${base(state)}/search-image`, { method: "POST", body: file });
    if (!answer.ok) throw await studio.refusal(answer);
    return answer.json();
  });
  explore.searchLike = (state, row) => run(state, `images like ${state.ids[row]}`, async () => {
    const near = await studio.fetchJson(`${base(state)}/neighbours/${state.ids[row]}?count=500`);
    return { rows: [row, ...near.rows], similarities: [1, ...near.similarities] };
  });

  explore.searchForm = (state) => {
    const words = el("input", { type: "search", name: "words", class: "x-input", placeholder: "Search by meaning: “a dog on grass”",
      "aria-label": "Search images by meaning", autocomplete: "off" });
    const file = el("input", { type: "file", accept: "image/*", hidden: true, "aria-label": "Image to search with", onchange: () => {
      if (file.files[0]) explore.searchImage(state, file.files[0]);
      file.value = "";
    } });
    const form = el("form", { class: "x-search", role: "search", onsubmit: (event) => {
      event.preventDefault();
      if (words.value.trim()) explore.searchWords(state, words.value.trim());
      else explore.clearSearch(state);
    } }, words, el("button", { type: "button", class: "x-tool", title: "Search with an image (or drop one anywhere here)", "aria-label": "Search with an image",
      onclick: () => file.click() }, icon("M4 7h3l2-2.5h6L17 7h3v12H4zM12 16.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z")), file,
      el("button", { type: "submit" }, "Search"));
    words.addEventListener("search", () => words.value || explore.clearSearch(state)); // its ✕
    state.on("search", () => { if (!state.search) words.value = ""; });
    explore.root.addEventListener("dragover", (event) => event.preventDefault());
    explore.root.addEventListener("drop", (event) => {
      event.preventDefault();
      const dropped = event.dataTransfer.files[0];
      if (dropped) explore.searchImage(state, dropped);
    });
    return form;
  };
})();
