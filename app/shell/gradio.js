/* `window.studio`: the one global object. Gradio compiles the `js=` of events and the `js_on_load` of
   gr.HTML from text, which can't import modules, so the functions that they call are listed here:

   studio.query()                        the address's query string, for handlers
   studio.go(href, replace, stay)        go to an address of this page
   studio.answered(well)                 a handler has answered an action
   studio.live(element, props, trigger, watch)   start a live piece
   studio.chart(element, props, watch)           start a chart

   A page's own module adds what its Gradio components call: `expose({ upload })`. */

import { answered } from "./actions.js";
import { go, query } from "./address.js";
import { live } from "./live.js";

/* Pages with charts import the module themselves, so that it is loaded early. */
const chart = async (...given) => (await import("./chart.js")).chart(...given);

const studio = (window.studio = { answered, chart, go, live, query });

export const expose = (functions) => Object.assign(studio, functions);
