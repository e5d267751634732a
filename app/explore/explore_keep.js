/* Filters, outline and order outlive a reload and the back button: this tab remembers them, for
   each dataset. Sets of rows are kept as bits. */
(() => {
  "use strict";
  const explore = studio.explore;
  const SOON = 300; // milliseconds: a slider that moves is kept once, when it rests
  const PLAIN = ["labelled", "pool", "verdict", "round", "loss", "confidence"];

  const bits = (flags) => {
    let text = "";
    for (let i = 0; i < flags.length; i += 8) {
      let byte = 0;
      for (let k = 0; k < 8; k++) byte |= (flags[i + k] ? 1 : 0) << k;
      text += String.fromCharCode(byte);
    }
    return btoa(text);
  };
  const flags = (text, n) => {
    const bytes = atob(text);
    return Uint8Array.from({ length: n }, (_, i) => (bytes.charCodeAt(i >> 3) >> (i & 7)) & 1);
  };
  const group = (one) => one && { ...one, rows: bits(one.rows) };
  const again = (one, n) => one && { ...one, rows: flags(one.rows, n) };

  explore.keep = (state) => {
    const key = `studio-explore-${state.dataset.id}`;
    const read = () => {
      try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; } // a private window
    };
    const save = () => {
      const { filters: f, n } = state;
      const kept = { n, sort: state.sort, region: state.region && bits(state.region),
        hiddenClasses: bits(f.hiddenClasses), hiddenSplits: bits(f.hiddenSplits),
        subset: group(f.subset), words: group(f.words) };
      for (const name of PLAIN) kept[name] = f[name];
      try { sessionStorage.setItem(key, JSON.stringify(kept)); } catch { /* full or private: not kept */ }
    };
    const kept = read();
    if (kept && kept.n === state.n) {
      if (kept.sort !== "score") state.sort = kept.sort; // a search is not repeated
      state.region = kept.region && flags(kept.region, state.n);
      const changes = Object.fromEntries(PLAIN.map((name) => [name, kept[name]]));
      for (const name of ["hiddenClasses", "hiddenSplits"])
        changes[name] = flags(kept[name], state.filters[name].length);
      for (const name of ["subset", "words"]) changes[name] = again(kept[name], state.n);
      state.filter(changes);
      state.emit("region");
    }
    let timer = 0;
    state.on("order", () => {
      clearTimeout(timer);
      timer = setTimeout(save, SOON);
    });
    addEventListener("pagehide", () => { if (timer) save(); });
  };
})();
