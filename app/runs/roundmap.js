/* The picks of a run on the dataset's fixed map, round by round. A live piece leaves a place for it,
   <div class="roundmap" data-own data-dataset data-run data-method data-rounds>, and this fills it. */

import { color } from "../shell/dom.js";
import { fetchBundle } from "../shell/http.js";

const PLAY_MS = 900;

const mount = (place) => {
  const { dataset, run } = place.dataset;
  place.innerHTML =
    '<div class="roundmap-bar"><button type="button" class="quiet" data-play>Play</button>' +
    '<label><span class="sr-only">Round</span><input type="range" min="0" step="1"></label>' +
    '<output class="num" aria-live="polite"></output></div>' +
    '<div class="roundmap-frame"><canvas role="img"></canvas><img class="roundmap-tip" alt="" hidden></div>' +
    '<p class="muted roundmap-words"></p>';
  const [canvas, slider, words, tip, play, below] =
    ["canvas", "input", "output", ".roundmap-tip", "[data-play]", ".roundmap-words"].map((s) => place.querySelector(s));
  const state = { xy: null, round: null, ids: null, at: null, timer: 0, loaded: "" };

  const spot = (row) => { // where a row lies in the canvas, in CSS pixels
    const [x0, y0, x1, y1] = state.box;
    const scale = Math.min((canvas.clientWidth - 24) / (x1 - x0 || 1), (canvas.clientHeight - 24) / (y1 - y0 || 1));
    return [
      canvas.clientWidth / 2 + (state.xy[2 * row] - (x0 + x1) / 2) * scale,
      canvas.clientHeight / 2 - (state.xy[2 * row + 1] - (y0 + y1) / 2) * scale,
    ];
  };
  const draw = () => {
    if (!state.xy || !canvas.clientWidth) return;
    const ratio = devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = canvas.clientHeight * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const n = state.round.length;
    const small = n > 20000 ? 1 : n > 3000 ? 1.6 : 2.4;
    const number = +slider.value;
    pen.fillStyle = color("line-strong");
    for (let i = 0; i < n; i++) {
      if (state.round[i] && state.round[i] <= number) continue;
      const [x, y] = spot(i);
      pen.fillRect(x - small / 2, y - small / 2, small, small);
    }
    let before = 0, fresh = 0;
    for (const last of [false, true])
      for (let i = 0; i < n; i++) {
        const r = state.round[i];
        if (!r || r > number || (r === number) !== last) continue;
        const [x, y] = spot(i);
        pen.beginPath();
        pen.arc(x, y, last ? 5 : 3.6, 0, 7);
        pen.fillStyle = color(last ? "second" : "accent");
        pen.fill();
        pen.lineWidth = 1;
        pen.strokeStyle = color("card");
        pen.stroke();
        last ? fresh++ : before++;
      }
    words.textContent = number ? `Round ${number} of ${place.dataset.rounds}` : "Before round 1";
    const told = number
      ? `${fresh} picked in round ${number} (orange), ${before} before it (blue), of ${n} images.`
      : `${n} images, none picked yet.`;
    below.textContent = told;
    canvas.setAttribute("aria-label", `Map of the dataset: ${told}`);
  };
  const load = async () => {
    const rounds = place.dataset.rounds;
    const key = `${rounds} ${place.dataset.method}`;
    if (key === state.loaded) return;
    state.loaded = key;
    const base = `/explore/${dataset}`;
    try {
      const [points, values, columns] = await Promise.all([
        fetchBundle(`${base}/points.bin?method=${place.dataset.method}`),
        fetchBundle(`${base}/values.bin?run=${run}`),
        fetchBundle(`${base}/columns.bin`),
      ]);
      if (key !== state.loaded) return; // a newer one was asked for meanwhile
      Object.assign(state, { xy: points.xy, round: values.round, ids: columns.ids });
    } catch (error) {
      if (key !== state.loaded) return;
      state.loaded = ""; // tried again: at the next redraw, or when the server is back
      below.textContent = error.status ? error.message : "The map could not be read; it is asked for again.";
      return;
    }
    const box = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < state.xy.length; i += 2) {
      box[0] = Math.min(box[0], state.xy[i]); box[2] = Math.max(box[2], state.xy[i]);
      box[1] = Math.min(box[1], state.xy[i + 1]); box[3] = Math.max(box[3], state.xy[i + 1]);
    }
    state.box = box;
    const follow = state.at === null || state.at === +slider.max; // new rounds show themselves
    slider.max = rounds;
    if (follow) slider.value = rounds;
    state.at = +slider.value;
    draw();
  };
  const stop = () => {
    clearInterval(state.timer);
    state.timer = 0;
    play.textContent = "Play";
  };
  play.addEventListener("click", () => {
    if (state.timer) return stop();
    if (+slider.value >= +slider.max) slider.value = 0;
    play.textContent = "Pause";
    const step = () => {
      if (!place.isConnected || +slider.value >= +slider.max) return stop();
      slider.value = +slider.value + 1;
      state.at = +slider.value;
      draw();
    };
    draw();
    state.timer = setInterval(step, PLAY_MS);
  });
  slider.addEventListener("input", () => { stop(); state.at = +slider.value; draw(); });
  canvas.addEventListener("mousemove", (event) => {
    if (!state.xy) return;
    let best = -1, near = 100; // within 10 pixels
    for (let i = 0; i < state.round.length; i++) {
      if (!state.round[i] || state.round[i] > +slider.value) continue;
      const [x, y] = spot(i);
      const far = (x - event.offsetX) ** 2 + (y - event.offsetY) ** 2;
      if (far < near) [best, near] = [i, far];
    }
    tip.hidden = best < 0;
    if (best < 0) return;
    const [x, y] = spot(best);
    const address = `/thumb/${state.ids[best]}`;
    if (!tip.src.endsWith(address)) tip.src = address;
    tip.style.left = `${Math.min(x + 12, canvas.clientWidth - 92)}px`;
    tip.style.top = `${Math.max(4, Math.min(y - 40, canvas.clientHeight - 84))}px`;
  });
  canvas.addEventListener("mouseleave", () => { tip.hidden = true; });
  new ResizeObserver(draw).observe(canvas);
  document.addEventListener("studio:theme", draw);
  return { load };
};

const mounted = new WeakMap();
document.addEventListener("studio:shown", (event) => {
  for (const place of event.target.querySelectorAll(".roundmap")) {
    const key = `${place.dataset.dataset} ${place.dataset.run}`;
    if (mounted.get(place)?.key !== key) mounted.set(place, { key, ...mount(place) });
    mounted.get(place).load();
  }
});
addEventListener("studio:back", () =>
  document.querySelectorAll(".roundmap").forEach((place) => mounted.get(place)?.load()));
