// The board: what the centre streams, kept on the page. Everything from outside goes in as text, never as HTML.

import { icon } from "./icons.js";
import { ago, current, minutes, say, span, toggle } from "./texts.js";

const SILENCE_MS = 15000; // the centre says something every 5 s
const RETRY_MS = 2000;
const URGENT_S = 300; // of the way to the door
const CARDS_MAX = 200; // what a person can still scroll through
const ONLINE_MAX = 50; // lost gateways are always shown
const SEVERITIES = ["life", "property", "trouble"];

const $ = (id) => document.getElementById(id);
const NO_WORDS = { kinds: {}, phases: {} };
// at: of the snapshot; told: of the last message; heard: of that or of the last attempt to connect
const state = { snapshot: null, at: 0, told: 0, heard: 0, answering: true, words: NO_WORDS, source: null };
const cards = new Map(); // incident id: its card
let announced = null; // the ids that have been read out

// --- small helpers ---

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function put(target, text) {
  if (target.textContent !== text) target.textContent = text; // an unchanged page is not laid out again
}

function fill(target, children) {
  target.replaceChildren(...children);
}

function word(kind, table) {
  const known = Object.hasOwn(table, kind) ? table[kind] : null;
  return known ? known[current()] : kind;
}

const kindName = (kind) => word(kind, state.words.kinds);
const isOver = (incident) => incident.phase === "restored";
const place = (incident) => incident.home || (incident.gateway === "centre" ? say("centre") : incident.gateway);

/** Seconds of the centre's clock since the snapshot; the screen's own clock may be wrong and is not asked. */
function since() {
  return ((performance.now() - state.at) / 1000) * (state.snapshot?.rate ?? 1);
}

function localTime(iso) {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? "" : time.toLocaleTimeString(current() === "zh" ? "zh-CN" : "en-GB");
}

// --- incidents ---

function order(a, b) {
  return severityPlace(a) - severityPlace(b) || (a.opened_at < b.opened_at ? 1 : a.opened_at > b.opened_at ? -1 : 0);
}

function severityPlace(incident) {
  const at = SEVERITIES.indexOf(incident.severity);
  return at < 0 ? 0 : at; // what nobody here knows counts as life
}

function showIncidents() {
  const all = [...state.snapshot.incidents].sort(order);
  const open = all.filter((i) => !isOver(i));
  const over = all.filter(isOver).sort((a, b) => (a.opened_at < b.opened_at ? 1 : -1));
  const shown = [...open, ...over].slice(0, CARDS_MAX);
  const ids = new Set(shown.map((i) => i.id));
  for (const [id, card] of cards) if (!ids.has(id)) card.remove(), cards.delete(id);
  arrange($("life"), shown.filter((i) => !isOver(i) && severityPlace(i) === 0));
  arrange($("other"), shown.filter((i) => !isOver(i) && severityPlace(i) > 0));
  arrange($("over"), shown.filter(isOver));
  $("over_title").hidden = !over.length;
  $("empty").hidden = open.length > 0;
  $("more").hidden = all.length <= CARDS_MAX;
  put($("more"), say("more", { n: all.length - CARDS_MAX }));
  announce(open);
}

/** The incidents' cards in `list`, in order; cards that stay are moved only when they must be, so that focus stays. */
function arrange(list, incidents) {
  incidents.forEach((incident, at) => {
    const card = cardOf(incident);
    if (list.children[at] !== card) list.insertBefore(card, list.children[at] ?? null);
  });
}

function cardOf(incident) {
  const drawn = JSON.stringify([incident, current(), state.words === NO_WORDS], (key, value) => (key === "age_s" || key === "remaining_s" ? 0 : value));
  let card = cards.get(incident.id);
  if (!card) cards.set(incident.id, (card = element("li")));
  card.incident = incident;
  if (card.drawn !== drawn) draw(card, incident);
  card.drawn = drawn;
  return card;
}

function draw(card, incident) {
  const open = card.querySelector("details")?.open;
  card.className = `card ${SEVERITIES[severityPlace(incident)]}`;
  const middle = element("div");
  middle.append(
    element("p", "kind", kindName(incident.kind)),
    element("p", "place", place(incident)),
    element("p", "room", [incident.room, incident.terminal].filter((text) => text && text !== "centre").join(" · ")),
  );
  fill(card, [icon(incident.kind), middle, arrival(incident), marks(incident)]);
  if (counts(incident)) card.append(track());
  if (incident.events?.length) card.append(details(incident, open));
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
  box.append(element("span", "mark", word(incident.phase, state.words.phases)));
  if (incident.unverified) box.append(element("span", "mark doubt", say("unverified")));
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
    phase: word(event.phase, state.words.phases),
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

function announce(open) {
  const fresh = announced ? open.filter((i) => !announced.has(i.id) && severityPlace(i) === 0) : [];
  announced = new Set(open.map((i) => i.id));
  if (fresh.length) put($("announce"), say("new", { kind: kindName(fresh[0].kind), place: place(fresh[0]) }));
}

// --- what runs with the clock ---

function showTimes() {
  const elapsed = since();
  let overdue = 0;
  for (const card of cards.values()) {
    const incident = card.incident;
    put(card.querySelector(".age"), ago(incident.age_s + elapsed));
    if (counts(incident)) overdue += showArrival(card, incident.remaining_s - elapsed, incident.age_s + incident.remaining_s);
  }
  showTally(overdue);
  showGateways(elapsed);
  put($("clock"), new Date(clockMs(elapsed)).toLocaleTimeString(current() === "zh" ? "zh-CN" : "en-GB"));
}

function clockMs(elapsed) {
  return state.snapshot.wall_ms + elapsed * 1000;
}

function showArrival(card, left, whole) {
  const overdue = left <= 0;
  card.classList.toggle("overdue", overdue);
  card.classList.toggle("urgent", !overdue && left < URGENT_S);
  put(card.querySelector(".left"), minutes(overdue ? left : Math.ceil(left)));
  put(card.querySelector(".what"), say(overdue ? "overdue" : "arrive"));
  const share = whole > 0 ? Math.min(1, Math.max(0, 1 - left / whole)) : 1;
  card.querySelector(".track i").style.width = `${(share * 100).toFixed(1)}%`;
  return overdue ? 1 : 0;
}

function showTally(overdue) {
  const open = state.snapshot.incidents.filter((i) => !isOver(i));
  const life = open.filter((i) => severityPlace(i) === 0).length;
  put($("tally"), open.length ? say("tally", { n: open.length, life }) + (overdue ? say("tally_overdue", { n: overdue }) : "") : "");
  const title = `${life ? `(${life}) ` : ""}${say("title")} · Sixkit`;
  if (document.title !== title) document.title = title;
}

// --- gateways and counters ---

function showGateways(elapsed) {
  const all = [...state.snapshot.gateways].sort((a, b) => gatewayPlace(a) - gatewayPlace(b) || (a.id < b.id ? -1 : 1));
  const rest = all.filter((g) => g.state !== "online").length + ONLINE_MAX;
  const lines = all.slice(0, rest).map((g) => gatewayLine(g, elapsed));
  if (all.length > rest) lines.push(element("li", "none", say("gateways_more", { n: all.length - rest })));
  if (!all.length) lines.push(element("li", "none", say("gateways_none")));
  const text = lines.map((line) => line.className + line.textContent).join("\n");
  if ($("gateways").drawn !== text) fill($("gateways"), lines);
  $("gateways").drawn = text;
}

const gatewayPlace = (gateway) => ["lost", "online", "never"].indexOf(gateway.state);

function gatewayLine(gateway, elapsed) {
  const line = element("li", gateway.state);
  const head = element("div", "head");
  const sign = { lost: "▲ ", online: "● ", never: "○ " }[gateway.state] ?? "";
  head.append(element("b", "", gateway.home || gateway.id));
  head.append(element("span", "state", sign + say(gateway.state === "lost" ? "gateway_lost" : gateway.state)));
  line.append(head);
  const heard = gateway.silent_s === null ? [] : [say("heartbeat", { t: ago(gateway.silent_s + elapsed) })];
  line.append(element("p", "", [gateway.id, ...heard].join(" · ")));
  if (gateway.unsettled) line.append(element("p", "waiting", say("waiting", { n: gateway.unsettled, t: span(gateway.oldest_s ?? 0) })));
  if (["unset", "holdover"].includes(gateway.clock)) line.append(element("p", "waiting", say(`clock_${gateway.clock}`)));
  return line;
}

function showCounters() {
  const counters = state.snapshot.counters;
  const refused = counters.forged_refused + counters.foreign_refused + counters.malformed_refused;
  const rows = { received: counters.events_committed, repeats: counters.repeats_absorbed, refused };
  fill($("counters"), Object.entries(rows).flatMap(([name, n]) => [
    element("dt", "", say(name)), element("dd", "", (n || 0).toLocaleString("en")),
  ]));
}

// --- the connection ---

function showConnection() {
  const lost = performance.now() - state.heard > SILENCE_MS || !state.source || state.source.readyState !== EventSource.OPEN;
  const known = state.snapshot !== null;
  const message = lost && known ? say("lost", { t: span((performance.now() - state.told) / 1000) })
    : !state.answering ? say("stalled")
    : known && !state.snapshot.broker ? say("broker_down") : "";
  put($("banner"), message);
  $("banner").hidden = !message;
  document.body.classList.toggle("stale", lost && known);
  $("live").classList.toggle("on", !lost);
  const fast = known && state.snapshot.rate !== 1 ? ` · ${say("fast", { n: state.snapshot.rate })}` : "";
  put($("live"), say(lost ? "connecting" : "live") + fast);
  if (performance.now() - state.heard > SILENCE_MS) connect(); // a half-open connection, or one that was refused
}

function connect() {
  state.source?.close();
  state.heard = performance.now();
  state.source = new EventSource("/events");
  state.source.addEventListener("snapshot", (event) => {
    state.snapshot = JSON.parse(event.data);
    state.at = state.told = state.heard = performance.now();
    state.answering = true;
    showAll();
  });
  state.source.addEventListener("alive", (event) => {
    state.told = state.heard = performance.now();
    state.answering = JSON.parse(event.data).answering;
  });
  state.source.onerror = () => {
    // A refusal ends an EventSource for good, where a break only makes it try again by itself.
    if (state.source.readyState === EventSource.CLOSED) state.heard = performance.now() - SILENCE_MS + RETRY_MS;
  };
}

async function fetchWords() {
  try {
    state.words = await (await fetch("/api/words")).json();
    if (state.snapshot) showAll();
  } catch {
    setTimeout(fetchWords, RETRY_MS); // kinds show under their bare names until then
  }
}

// --- all of it ---

function showAll() {
  if (state.snapshot) {
    showIncidents();
    showCounters();
    showTimes();
  }
  showConnection();
}

function showLanguage() {
  document.documentElement.lang = current() === "zh" ? "zh-CN" : "en";
  for (const target of document.querySelectorAll("[data-text]")) put(target, say(target.dataset.text));
  put($("language"), say("language"));
  showAll();
}

$("language").addEventListener("click", () => {
  toggle();
  showLanguage();
});
setInterval(() => {
  if (state.snapshot) showTimes();
  showConnection();
}, 500);
showLanguage();
fetchWords();
connect();
