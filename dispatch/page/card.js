// One incident's card: what, where, since when, how sure, and the run to the door.

import { calling } from "./calling.js";
import { icon } from "./icons.js";
import { element, fill, homeName, isOver, kindName, localTime, phaseName, put, SEVERITIES, severityPlace, state, NO_WORDS, button } from "./state.js";
import { showAges, whereabouts } from "./sketch.js";
import { ago, current, minutes, say, span } from "./texts.js";

const URGENT_S = 300; // of the way to the door

/** Draw `incident` on `card` if it looks different from what is there; `choose` is called with a gateway. */
export function showCard(card, incident, choose) {
  const looks = JSON.stringify([incident, current(), state.words === NO_WORDS], (key, value) => (["age_s", "remaining_s"].includes(key) ? 0 : value));
  card.incident = incident;
  if (card.looks !== looks) draw(card, incident, choose);
  card.looks = looks;
}

/** What runs with the clock, `elapsed` seconds after the snapshot; whether help is overdue. */
export function showCardTimes(card, elapsed) {
  const incident = card.incident;
  put(card.querySelector(".age"), ago(incident.age_s + elapsed));
  if (incident.position) showAges(card, incident, elapsed);
  return counts(incident) && showArrival(card, incident.remaining_s - elapsed, incident.age_s + incident.remaining_s);
}

function draw(card, incident, choose) {
  const open = card.querySelector("details")?.open;
  const focused = card.contains(document.activeElement) ? document.activeElement.className : null;
  card.dataset.incident = incident.id;
  card.className = `card ${SEVERITIES[severityPlace(incident)]}`;
  const middle = element("div");
  middle.append(
    element("p", "kind", kindName(incident.kind)),
    place(incident, choose),
    element("p", "room", [incident.room, incident.terminal].filter((text) => text && text !== "centre").join(" · ")),
  );
  fill(card, [icon(incident.kind), middle, arrival(incident), marks(incident)]);
  if (counts(incident)) card.append(track());
  if (counts(incident) && incident.gateway !== "centre") card.append(calling(incident));
  if (incident.position && !isOver(incident)) card.append(whereabouts(incident));
  if (incident.events?.length) card.append(details(incident, open));
  if (focused) [...card.querySelectorAll("button, summary")].find((one) => one.className === focused)?.focus();
}

function place(incident, choose) {
  const line = element("p", "place");
  if (incident.gateway === "centre") line.append(homeName(incident));
  else line.append(button("home", homeName(incident), () => choose(incident.gateway)));
  return line;
}

/** Whether there is a run to the door: not for troubles, and not when it is over. */
function counts(incident) {
  return typeof incident.remaining_s === "number" && !isOver(incident);
}

function arrival(incident) {
  const box = element("div", "arrival");
  if (counts(incident)) box.append(element("span", "left"), element("span", "what"));
  box.append(element("span", "age"));
  return box;
}

function track() {
  const bar = element("div", "track");
  bar.append(element("i"));
  return bar;
}

function marks(incident) {
  const box = element("p", "marks");
  box.append(element("span", "mark severity", say(incident.severity)));
  box.append(element("span", "mark", phaseName(incident.phase)));
  if (incident.times > 1) box.append(element("span", "mark times", say("times", { n: incident.times })));
  if (incident.unverified) box.append(element("span", "mark doubt", say("unverified")));
  if (incident.suspect) box.append(element("span", "mark doubt", say("suspect")));
  if (incident.late) box.append(element("span", "mark late", say("late")));
  return box;
}

function details(incident, open) {
  const box = element("details");
  box.open = Boolean(open);
  box.append(element("summary", "", say("details", { n: incident.events.length })));
  const list = element("ol");
  for (const event of incident.events) list.append(eventLine(event));
  box.append(list);
  return box;
}

function eventLine(event) {
  const line = element("li", "", say("event", {
    phase: phaseName(event.phase),
    raised: localTime(event.raised_at),
    latency: event.latency_ms === null ? "—" : latency(event.latency_ms / 1000),
    attempts: event.attempts,
  }));
  const more = [...Object.entries(event.evidence ?? {}).map(([name, value]) => `${name} ${value}`), ...(event.flags ?? [])];
  if (more.length) line.append(element("div", "", more.join(" · ")));
  return line;
}

/** A time on the way: to the tenth while it is short. */
function latency(seconds) {
  return seconds < 10 ? say("s", { n: seconds.toFixed(1) }) : span(seconds);
}

function showArrival(card, left, whole) {
  const overdue = left <= 0;
  card.classList.toggle("overdue", overdue);
  card.classList.toggle("urgent", !overdue && left < URGENT_S);
  put(card.querySelector(".left"), minutes(overdue ? left : Math.ceil(left)));
  put(card.querySelector(".what"), say(overdue ? "overdue" : "arrive"));
  const share = whole > 0 ? Math.min(1, Math.max(0, 1 - left / whole)) : 1;
  card.querySelector(".track i").style.width = `${(share * 100).toFixed(1)}%`;
  return overdue;
}
