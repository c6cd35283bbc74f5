// The button that tells a resident that the centre is on the phone: the home's gateway says so aloud.

import { button, element, put } from "./state.js";
import { current, say } from "./texts.js";

const told = new Map(); // incident id: the name of what became of it, or what the centre said of it

/** The button, and beside it what became of the last press. */
export function calling(incident) {
  const box = element("p", "calling");
  const result = element("span", "result", shown(incident.id));
  result.setAttribute("role", "status");
  box.append(button("call", say("call"), () => call(incident.id, result)), result);
  return box;
}

function shown(id) {
  const found = told.get(id);
  return found === undefined ? "" : typeof found === "string" ? say(found) : found[current()];
}

async function call(id, result) {
  told.set(id, "call_sending");
  put(result, shown(id));
  told.set(id, await outcome(id));
  // The card may have been drawn anew in the meantime: what is there now is told too.
  for (const one of document.querySelectorAll(`[data-incident="${id}"] .result`)) put(one, shown(id));
}

async function outcome(id) {
  try {
    const answer = await fetch(`/api/incidents/${id}/calling`, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
    return answer.ok ? "call_sent" : (await answer.json()).error;
  } catch {
    return "call_failed";
  }
}
