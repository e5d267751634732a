/* The Predict page. */

import "./batch.js";
import "./download.js";
import "./prediction.js";
