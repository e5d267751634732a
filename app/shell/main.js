/* What every page runs. A page's own module is its folder's page.js. */

import "./connection.js";
import "./theme.js";
import "./navigation.js";
import "./workflow.js";
import "./anchor.js";
import "./tour.js";
import "./gradio.js";
import "./unsent.js";
import "./copy.js";
import "./lightbox.js";
import "./radio.js";
