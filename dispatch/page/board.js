// The board: what the centre streams, kept on the page.

import { showCard, showCardTimes } from "./card.js";
import { choose, follow, showHomes } from "./homes.js";
import { $, element, homeName, isOver, kindName, localTime, put, severityPlace, since, state } from "./state.js";
import { current, say, span, toggle } from "./texts.js";

const SILENCE_MS = 15000; // the centre says something every 5 s
const RETRY_MS = 2000;

const cards = new Map(); // incident id: its card
let announced = null; // the ids that have been read out

// --- incidents ---

function order(a, b) {
  return severityPlace(a) - severityPlace(b) || (a.opened_at < b.opened_at ? 1 : a.opened_at > b.opened_at ? -1 : 0);
}

function showIncidents() {
  const all = [...state.snapshot.incidents].sort(order);
  const open = all.filter((i) => !isOver(i));
  const over = all.filter(isOver).sort((a, b) => (a.opened_at < b.opened_at ? 1 : -1));
  const ids = new Set(all.map((i) => i.id));
  for (const [id, card] of cards) if (!ids.has(id)) card.remove(), cards.delete(id);
  arrange($("life"), open.filter((i) => severityPlace(i) === 0));
  arrange($("other"), open.filter((i) => severityPlace(i) > 0));
  arrange($("over"), over);
  $("over_title").hidden = !over.length;
  $("empty").hidden = open.length > 0;
  const unshown = openOf() - open.length;
  $("more").hidden = unshown <= 0;
  put($("more"), say("more", { n: unshown }));
  announce(open);
  follow(open);
}

/** How many are open at the centre, of whatever severity or of one. */
function openOf(severity) {
  const counts = state.snapshot.open;
  return severity ? counts[severity] : Object.values(counts).reduce((sum, n) => sum + n, 0);
}

/** The incidents' cards in `list`, in order; cards that stay are moved only when they must be, so that focus stays. */
function arrange(list, incidents) {
  incidents.forEach((incident, at) => {
    let card = cards.get(incident.id);
    if (!card) cards.set(incident.id, (card = element("li")));
    showCard(card, incident, choose);
    if (list.children[at] !== card) list.insertBefore(card, list.children[at] ?? null);
  });
}

function announce(open) {
  const fresh = announced ? open.filter((i) => !announced.has(i.id)) : [];
  announced = new Set(open.map((i) => i.id));
  for (const [id, isMine] of [["announce", (i) => severityPlace(i) === 0], ["announce_other", (i) => severityPlace(i) > 0]]) {
    const mine = fresh.filter(isMine);
    if (!mine.length) continue;
    const more = mine.length > 1 ? say("new_more", { n: mine.length - 1 }) : "";
    put($(id), say("new", { kind: kindName(mine[0].kind), place: homeName(mine[0]), room: mine[0].room }) + more);
  }
}

// --- what runs with the clock ---

function showTimes() {
  const elapsed = since();
  let overdue = 0;
  for (const card of cards.values()) overdue += showCardTimes(card, elapsed) ? 1 : 0;
  showTally(overdue);
  showHomes();
  put($("clock"), localTime(state.snapshot.wall_ms + elapsed * 1000));
}

function showTally(overdue) {
  const [all, life] = [openOf(), openOf("life")];
  put($("tally"), all ? say("tally", { n: all, life }) + (overdue ? say("tally_overdue", { n: overdue }) : "") : "");
  const title = `${life ? `(${life}) ` : ""}${say("title")} · Sixkit`;
  if (document.title !== title) document.title = title;
}

function showCounters() {
  const counters = state.snapshot.counters;
  const refused = counters.forged_refused + counters.foreign_refused + counters.malformed_refused;
  const rows = { received: counters.events_committed, repeats: counters.repeats_absorbed, refused };
  $("counters").replaceChildren(...Object.entries(rows).flatMap(([name, n]) => [
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
  for (const target of document.querySelectorAll("[data-label]")) target.setAttribute("aria-label", say(target.dataset.label));
  $("seek").placeholder = say("seek");
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
