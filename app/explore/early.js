/* Requests the page's data while the browser still parses the head, so that points are drawn before
   Gradio has started. */

import { id, parameters } from "../shell/address.js";
import { fetchBundle, fetchJson } from "../shell/http.js";
import { lastDataset } from "../shell/last_dataset.js";

/* Fetch the coordinates of a dataset's map: `wish` can name a method and a view. */
export const fetchPoints = (dataset, wish = {}) =>
  fetchBundle(`/explore/${dataset}/points.bin?${new URLSearchParams(wish)}`);

const handled = (promise) => {
  promise.catch(() => {}); // the page awaits it later, and shows the error then
  return promise;
};
const wish = () => {
  const given = parameters();
  return Object.fromEntries(["method", "view"].filter((name) => given.get(name)).map((name) => [name, given.get(name)]));
};
const fetchDataset = (dataset) => ({
  dataset,
  start: handled(fetchJson(`/explore/start.json?dataset=${dataset}`)),
  columns: handled(fetchBundle(`/explore/${dataset}/columns.bin`)),
  points: handled(fetchPoints(dataset, wish()).catch(() => fetchPoints(dataset)).catch(() => null)),
  keys: handled(fetchBundle(`/explore/${dataset}/keys.bin`)),
});
const fetchNewest = async () => {
  const start = await fetchJson("/explore/start.json");
  if (!start.dataset) return { start, dataset: null };
  return { ...fetchDataset(start.dataset.id), start };
};
const begin = async () => {
  const dataset = lastDataset();
  if (!dataset) return fetchNewest();
  const data = fetchDataset(dataset);
  try {
    await data.start;
  } catch (error) {
    if (error.status !== 404 || id("dataset")) throw error;
    return fetchNewest(); // the dataset of the previous page was deleted
  }
  return data;
};

document.documentElement.classList.add("exploring");
/* {dataset, start, columns, points, keys}: the last four are promises. */
export const data = handled(begin());
