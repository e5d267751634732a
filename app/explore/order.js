/* Orders of rows, for the grid and for drawing. */

/* Rows in ascending order of `values[row]`, unknown ones (NaN) last. A radix sort on the bits of
   the floats: for a million rows it takes a twentieth of the time of a comparing sort. */
export const sorted = (rows, values, descending = false) => {
  const n = rows.length;
  const floats = new Float32Array(n);
  for (let i = 0; i < n; i++) floats[i] = descending ? -values[rows[i]] : values[rows[i]];
  const bits = new Uint32Array(floats.buffer);
  for (let i = 0; i < n; i++)
    bits[i] = Number.isNaN(floats[i]) ? 0xffffffff : bits[i] ^ (bits[i] >>> 31 ? 0xffffffff : 0x80000000);
  let [from, to] = [Uint32Array.from(rows.keys()), new Uint32Array(n)];
  for (const shift of [0, 16]) {
    const counts = new Uint32Array(65537);
    for (let i = 0; i < n; i++) counts[((bits[i] >>> shift) & 0xffff) + 1]++;
    for (let i = 0; i < 65536; i++) counts[i + 1] += counts[i];
    for (let i = 0; i < n; i++) to[counts[(bits[from[i]] >>> shift) & 0xffff]++] = from[i];
    [from, to] = [to, from];
  }
  return from.map((place) => rows[place]);
};

/* All rows in a random order, the same each time. Points are drawn in it, so that no class hides
   another, and the first part of it is a fair sample. */
export const shuffled = (n, seed = 1) => {
  const rows = new Uint32Array(n);
  let state = seed;
  for (let i = 0; i < n; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 4294967296) * (i + 1));
    rows[i] = rows[j];
    rows[j] = i;
  }
  return rows;
};

/* If `after` is `before` without some rows: where each place of `before` is in `after` (for a
   removed row, where the next one is). Otherwise null. */
export const movedPlaces = (before, after) => {
  const places = new Uint32Array(before.length);
  let now = 0;
  for (let place = 0; place < before.length; place++) {
    places[place] = now;
    if (before[place] === after[now]) now++;
  }
  return now === after.length ? places : null;
};
