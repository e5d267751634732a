/* The dataset of the previous page, so that the next page opens the same one. */

import { id } from "./address.js";
import { session } from "./storage.js";

const KEY = "studio-dataset";

/* The id that the address names, or else the last one that an address of this tab named, or null. */
export const lastDataset = () => id("dataset") ?? (Number(session.get(KEY)) || null);

export const rememberDataset = () => {
  const dataset = id("dataset");
  if (dataset) session.set(KEY, dataset);
};
