/* The Runs page. */

import "./compare_bar.js";
import "./roundmap.js";
