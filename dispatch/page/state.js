// What the page knows, and small things that every part of it needs. All text from outside goes in as text, never as HTML.

import { current, say } from "./texts.js";

export const SEVERITIES = ["life", "property", "trouble"];
export const NO_WORDS = { kinds: {}, phases: {} };
const SVG = "http://www.w3.org/2000/svg";

// at: of the snapshot; told: of the last message; heard: of that or of the last attempt to connect
export const state = { snapshot: null, at: 0, told: 0, heard: 0, answering: true, words: NO_WORDS, source: null };

export const $ = (id) => document.getElementById(id);

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function button(className, text, pressed) {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", pressed);
  return made;
}

export function drawn(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

export function put(target, text) {
  if (target.textContent !== text) target.textContent = text; // an unchanged page is not laid out again
}

export function fill(target, children) {
  target.replaceChildren(...children);
}

export function word(name, table) {
  const known = Object.hasOwn(table, name) ? table[name] : null;
  return known ? known[current()] : name;
}

export const kindName = (kind) => word(kind, state.words.kinds);
export const phaseName = (phase) => word(phase, state.words.phases);
export const isOver = (incident) => incident.phase === "restored";
export const homeName = (incident) => incident.home || (incident.gateway === "centre" ? say("centre") : incident.gateway);

export function severityPlace(incident) {
  const at = SEVERITIES.indexOf(incident.severity);
  return at < 0 ? 0 : at; // what nobody here knows counts as life
}

/** Seconds of the centre's clock since the page's own moment `at`; the screen's own clock may be wrong and is not asked. */
export function since(at = state.at) {
  return ((performance.now() - at) / 1000) * (state.snapshot?.rate ?? 1);
}

export function localTime(moment) {
  const time = new Date(moment);
  return Number.isNaN(time.getTime()) ? "" : time.toLocaleTimeString(current() === "zh" ? "zh-CN" : "en-GB");
}
