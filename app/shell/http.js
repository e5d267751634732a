/* Requests to the studio. Where it refuses, they throw an Error with its sentence and its status. */

import { unpack } from "./array_bundle.js";

/* Return the JSON of a GET; with a `body`, of a POST of that JSON. */
export const fetchJson = async (address, body) => {
  const answer = await fetch(address, body === undefined ? undefined : {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
};

/* Return a bundle of arrays; null where the studio has nothing yet (status 204). */
export const fetchBundle = async (address, options) => {
  const answer = await fetch(address, options);
  if (!answer.ok) throw await refusal(answer);
  return answer.status === 204 ? null : unpack(await answer.arrayBuffer());
};

/* Return the Error that a refusing answer stands for. */
export const refusal = async (answer) => {
  let sentence = `The studio answered with an error (${answer.status}).`;
  try {
    sentence = (await answer.json()).error ?? sentence;
  } catch { /* a proxy's answer: no sentence of ours */ }
  return Object.assign(new Error(sentence), { status: answer.status });
};
