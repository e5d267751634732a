/* Requests to the studio. A refused request throws an Error with the server's message and the status. */

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

/* Return a bundle of arrays; null if the studio has none yet (status 204). */
export const fetchBundle = async (address, options) => {
  const answer = await fetch(address, options);
  if (!answer.ok) throw await refusal(answer);
  return answer.status === 204 ? null : unpack(await answer.arrayBuffer());
};

/* Return the Error for a response that refuses a request. */
export const refusal = async (answer) => {
  let sentence = `The studio answered with an error (${answer.status}).`;
  try {
    sentence = (await answer.json()).error ?? sentence;
  } catch { /* the response of a proxy has no message of the studio */ }
  return Object.assign(new Error(sentence), { status: answer.status });
};
