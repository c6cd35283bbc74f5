// What the board says of its own, in Chinese and English; kinds and phases come from the centre.

export const TEXTS = {
  title: ["调度看板", "Dispatch board"],
  language: ["English", "中文"],
  incidents: ["警情", "Incidents"],
  empty: ["没有待处理的警情", "Nothing is waiting"],
  empty_more: ["新的警情会立即出现在这里。", "A new incident appears here at once."],
  over: ["已恢复", "Restored"],
  more: ["另有 {n} 条较早的警情未显示", "{n} older incidents are not shown"],
  gateways: ["网关", "Gateways"],
  gateways_none: ["尚未登记网关", "No gateway is registered yet"],
  gateways_more: ["另有 {n} 个网关在线", "{n} more are online"],
  counters: ["累计", "Since the beginning"],
  received: ["已接收", "received"],
  repeats: ["重复已吸收", "repeats absorbed"],
  refused: ["已拒绝", "refused"],
  tally: ["{n} 起待处理，其中危及生命 {life} 起", "{n} open, {life} of them life"],
  tally_overdue: ["，超时 {n} 起", ", {n} overdue"],
  live: ["实时", "live"],
  connecting: ["正在连接…", "connecting…"],
  lost: ["与中心的连接已断开，画面停在 {t}前，正在重连。新的警情不会显示。",
    "The connection to the centre is lost: this picture is {t} old. New incidents do not show. Trying again."],
  stalled: ["中心数据库没有响应，画面可能已过时。", "The centre's database does not answer: this picture may be old."],
  broker_down: ["中心与消息服务器断开：警情暂时无法到达。",
    "The centre has lost its message broker: alarms cannot arrive now."],
  fast: ["模拟时钟 ×{n}", "simulated clock ×{n}"],
  life: ["危及生命", "life"],
  property: ["财产", "property"],
  trouble: ["故障", "trouble"],
  unverified: ["未验证 · 核实后出动", "unverified · call back first"],
  late: ["迟到的报警", "sent late"],
  arrive: ["须到场", "to arrival"],
  overdue: ["已超时", "overdue"],
  ago: ["{t}前", "{t} ago"],
  now: ["刚刚", "just now"],
  details: ["经过（{n}）", "what came in ({n})"],
  event: ["{phase} · {raised} · {latency}后收到 · 第 {attempts} 次发送", "{phase} · {raised} · here {latency} later · attempt {attempts}"],
  online: ["在线", "online"],
  gateway_lost: ["失联", "lost"],
  centre: ["调度中心", "the centre itself"],
  never: ["从未上线", "never heard"],
  heartbeat: ["心跳 {t}", "heartbeat {t}"],
  waiting: ["{n} 条未送达，最久 {t}", "{n} not delivered, oldest {t}"],
  clock_unset: ["时钟未校准", "clock not set"],
  clock_holdover: ["时钟保持中", "clock in holdover"],
  d: ["{n} 天", "{n} d"],
  h: ["{n} 小时", "{n} h"],
  min: ["{n} 分钟", "{n} min"],
  s: ["{n} 秒", "{n} s"],
  new: ["新警情：{kind}，{place}", "New incident: {kind}, {place}"],
};

const KEY = "sixkit-language";
let language = remembered() || (navigator.languages.some((l) => l.startsWith("zh")) ? "zh" : "en");

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is forbidden here
  }
}

/** The language that is shown: "zh" or "en". */
export function current() {
  return language;
}

/** Show the other language from now on. */
export function toggle() {
  language = language === "zh" ? "en" : "zh";
  try {
    localStorage.setItem(KEY, language);
  } catch {
    // it lasts as long as the page
  }
}

/** The text named `name`, with `{…}` filled in. */
export function say(name, values = {}) {
  const text = TEXTS[name] ? TEXTS[name][language === "zh" ? 0 : 1] : name;
  return text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/** A length of time in words, in its two largest units at most. */
export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const parts = [["d", Math.floor(s / 86400)], ["h", Math.floor(s / 3600) % 24], ["min", Math.floor(s / 60) % 60], ["s", s % 60]];
  const first = parts.findIndex(([, n]) => n > 0);
  if (first < 0) return say("s", { n: 0 });
  const shown = parts.slice(first, s < 600 ? first + 2 : first + (first < 2 ? 2 : 1)).filter(([, n]) => n > 0);
  return shown.map(([unit, n]) => say(unit, { n })).join(" ");
}

/** How long ago, in words. */
export function ago(seconds) {
  return seconds < 5 ? say("now") : say("ago", { t: span(seconds) });
}

/** mm:ss, without a sign. */
export function minutes(seconds) {
  const s = Math.floor(Math.abs(seconds));
  return `${String(Math.floor(s / 60)).padStart(2, "0")}:${String(s % 60).padStart(2, "0")}`;
}
