/* The Runs page. */

import "./compare_bar.js";
import "./round_map.js";
