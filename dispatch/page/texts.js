// What the board says of its own, in Chinese and English; kinds and phases come from the centre.

export const TEXTS = {
  title: ["调度看板", "Dispatch board"],
  language: ["English", "中文"],
  incidents: ["警情", "Incidents"],
  empty: ["没有待处理的警情", "Nothing is waiting"],
  empty_more: ["新的警情会立即出现在这里。", "A new incident appears here at once."],
  over: ["已恢复", "Restored"],
  more: ["另有 {n} 起待处理警情未显示", "{n} more open incidents are not shown"],
  homes: ["住户", "Homes"],
  homes_none: ["尚未登记住户", "No home is registered yet"],
  homes_unfound: ["没有匹配的住户", "No home has that in its name"],
  homes_more: ["另有 {n} 户未列出，可搜索", "{n} more are not listed: search"],
  homes_tally: ["共 {all} 户：在线 {online}，失联 {lost}，从未上线 {never}", "{all}: {online} online, {lost} lost, {never} never heard"],
  home: ["家", "home"],
  home_open: ["{n} 起待处理", "{n} open"],
  home_close: ["返回", "close"],
  seek: ["按住户或网关搜索", "Search by home or gateway"],
  gateway: ["网关", "gateway"],
  power: ["供电", "power"],
  power_untold: ["未报告断电", "no power loss reported"],
  clock: ["时钟", "clock"],
  roster: ["终端", "terminals"],
  roster_text: ["登记 {n} 个，失联 {silent} 个", "{n} enrolled, {silent} silent"],
  outbox: ["待送达", "waiting"],
  outbox_empty: ["无", "nothing"],
  version: ["版本", "version"],
  uptime: ["已运行 {t}", "up {t}"],
  troubles: ["现存故障", "Troubles that stand"],
  troubles_none: ["没有现存故障", "No trouble stands"],
  pieces: ["已知终端", "Pieces known from events"],
  pieces_unnamed: ["另有 {n} 个从未报过事件", "{n} more never had an event"],
  pieces_none: ["中心尚未收到该户任何终端的事件", "No piece of this home has had an event yet"],
  piece_quiet: ["无警情", "nothing open"],
  piece_last: ["最近：{kind} {phase} {t}", "last: {kind} {phase} {t}"],
  position_age: ["定位于 {t}", "position of {t}"],
  copy: ["复制", "copy"],
  copied: ["已复制", "copied"],
  copy_failed: ["无法复制", "not copied"],
  accuracy: ["精度约 {m}", "within about {m}"],
  accuracy_unknown: ["精度未知", "accuracy not known"],
  satellites: ["卫星 {n} 颗", "{n} satellites"],
  from_home: ["距家 {m}，在家的{way}面（{deg}°）", "{m} from home, to the {way} ({deg}°)"],
  fence: ["安全区域半径 {m}", "safe area: {m} around home"],
  left_out: ["另有 {n} 个较远的位置未画出", "{n} positions further away are not drawn"],
  datum: ["坐标为 WGS-84；国内地图（高德、腾讯等）用 GCJ-02，直接输入会偏约 500 米，须先转换。",
    "WGS-84. Maps of China (GCJ-02: Amap, Tencent) are off by some 500 m: convert before looking it up there."],
  sketch: ["位置草图，上为北，宽 {m}，{n} 个位置。", "Sketch of positions, north up, {m} wide, {n} of them."],
  ways: ["北 东北 东 东南 南 西南 西 西北", "north north-east east south-east south south-west west north-west"],
  north: ["北", "N"],
  m: ["{n} 米", "{n} m"],
  km: ["{n} 公里", "{n} km"],
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
  suspect: ["传感器可疑", "sensor suspect"],
  times: ["共 {n} 次", "{n} times"],
  late: ["迟到的报警", "sent late"],
  call: ["告知住户：正在致电", "tell the resident: we are calling"],
  call_sending: ["正在发送…", "sending…"],
  call_sent: ["已发给网关，由其告知住户", "sent: the gateway tells the resident"],
  call_failed: ["未发出，请重试", "not sent: try again"],
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
  clock_synchronised: ["已校准", "synchronised"],
  clock_unset: ["时钟未校准", "clock not set"],
  clock_holdover: ["时钟保持中", "clock in holdover"],
  d: ["{n} 天", "{n} d"],
  h: ["{n} 小时", "{n} h"],
  min: ["{n} 分钟", "{n} min"],
  s: ["{n} 秒", "{n} s"],
  new: ["新警情：{kind}，{place}，{room}", "New incident: {kind}, {place}, {room}"],
  new_more: ["，另有 {n} 起", ", and {n} more"],
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
