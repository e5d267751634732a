/* The Runs page. */

import "../shell/chart.js";
import "./columns.js";
import "./compare_bar.js";
import "./round_map.js";
