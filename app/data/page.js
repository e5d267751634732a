/* The Data page. */

import { go } from "../shell/address.js";
import { expose } from "../shell/gradio.js";
import "./image_list.js";
import "./saved_views.js";
import "./stored_fields.js";
import { upload } from "./upload.js";

expose({ upload });

/* After a deletion the server sends the address of the list. */
document.addEventListener("studio:shown", ({ target }) => {
  const next = target.querySelector("[data-replace]");
  if (next) go(next.dataset.replace, true);
});
