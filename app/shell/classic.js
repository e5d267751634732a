/* What scripts that are not modules yet find on `studio`. Goes when the last of them does. */

import { act, pending, unsaved } from "./actions.js";
import { unpack } from "./array_bundle.js";
import { confirm, confirmed, tell } from "./confirm.js";
import { answers } from "./connection.js";
import { copy } from "./copy.js";
import { expose } from "./gradio.js";
import { fetchBundle, fetchJson, refusal } from "./http.js";
import { show } from "./live.js";
import { isDark } from "./theme.js";
import { duration } from "./words.js";

expose({
  act, answers, confirm, copy, dark: isDark, fetchBundle, fetchJson, patch: show, pending, refusal,
  span: duration, sure: confirmed, tell, unpack, unsaved,
});
