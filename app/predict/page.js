/* The Predict page. */

import "./download.js";
import "./prediction.js";
