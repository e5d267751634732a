/* Where the names of classes stand on the map: beside their points rather than over them. */

const CELL = 12; // pixels of a cell of the density grid
const STEPS = [0, 1.6, 3, 4.6, 6.4]; // distances from the center that are tried, in heights of a name
const DIRECTIONS = 12;
const FAR = 0.6; // what a distance of one height costs, in points covered
const SCATTERED = 20_000; // points that are enough to know where they are dense

/* How many points lie in each cell of a canvas. `place` returns the pixel of the k-th of `count` points,
   which are in a random order. */
export const density = (count, place, [width, height]) => {
  const columns = Math.ceil(width / CELL) + 1;
  const cells = new Float32Array(columns * (Math.ceil(height / CELL) + 1));
  const used = Math.min(count, SCATTERED);
  for (let k = 0; k < used; k++) {
    const [x, y] = place(k);
    if (x >= 0 && y >= 0 && x < width && y < height) cells[Math.floor(y / CELL) * columns + Math.floor(x / CELL)]++;
  }
  return { columns, cells };
};
const covered = ({ columns, cells }, left, top, right, bottom) => {
  let sum = 0;
  for (let y = Math.max(0, Math.floor(top / CELL)); y <= Math.floor(bottom / CELL); y++)
    for (let x = Math.max(0, Math.floor(left / CELL)); x <= Math.floor(right / CELL); x++)
      sum += cells[y * columns + x] ?? 0;
  return sum;
};

/* Place names: {x, y, half, high}, the pixel of a center and half the size of the name, the most
   important first. Returns them with {px, py}; a name that would cover another one is left out. */
export const placeNames = (names, dense, [width, height]) => {
  const placed = [];
  for (const name of names) {
    const { x, y, half, high } = name;
    if (x < 0 || y < 0 || x > width || y > height) continue;
    let best = null;
    for (const step of STEPS)
      for (let k = 0; k < (step ? DIRECTIONS : 1); k++) {
        const angle = (2 * Math.PI * k) / DIRECTIONS - Math.PI / 2; // above the center first
        const away = step * 2 * high;
        const px = Math.max(half, Math.min(width - half, x + Math.cos(angle) * (away + (step ? half * Math.abs(Math.cos(angle)) : 0))));
        const py = Math.max(high, Math.min(height - high, y + Math.sin(angle) * away));
        if (placed.some((o) => Math.abs(o.px - px) < o.half + half && Math.abs(o.py - py) < o.high + high)) continue;
        const cost = covered(dense, px - half, py - high, px + half, py + high) + FAR * step;
        if (!best || cost < best.cost) best = { ...name, px, py, cost };
      }
    if (best) placed.push(best);
  }
  return placed;
};
