// The live view: events by id from the socket, from REST at the start and after a gap.
import { h, openSocket, socketUrl } from "./socket.js";

const at = (id) => document.getElementById(id);
const SHOWN_MAX = 200;
const PAGE = 200;
const HELD_MAX = 300; // frames kept while paused
const ARROWS = { inbound: "↓", outbound: "↑", internal: "•" };

const cards = new Map(); // event id -> {event, element, runs: Map}
const arrivals = []; // when events came, for the rate
let cursor = null; // everything up to this id was seen
let paused = false;
let held = []; // frames that came while paused
let heldCount = 0;
let behind = false; // while paused more came than is held; the list is read anew afterwards
let chosen = null;
let asking = false; // for another filter; frames of the one before may still come
let pending = 0; // filters asked for and not answered yet; only the last answer counts
let turn = 0; // grows when the filter changes; late answers of an older one are dropped

const socket = openSocket({
  url: () => socketUrl(`/ws/events/?${query(cursor === null ? {} : { after: cursor })}`),
  onFrame: (frame) => (frames[frame.type] || (() => {}))(frame),
  onState(how, code) {
    state(how, how === "waiting" ? "Reconnecting…" : code === 4403 ? "No access" : "Closed");
    if (code === 4401) location.reload(); // signed out: the page asks to sign in
  },
  final: [4401, 4403, 4404],
});

const frames = {
  hello(frame) {
    state("open", "Live");
    pending = 0;
    if (asking) subscribe(); // the filter changed while the socket was opening
    else if (cursor === null) start(frame.after);
    else askRuns();
  },
  subscribed(frame) {
    pending -= 1;
    if (pending > 0) return;
    asking = false;
    start(frame.after);
  },
  feed(frame) {
    if (asking) return;
    if (!paused) { take(frame); return; }
    if (held.length < HELD_MAX) held.push(frame);
    else behind = true;
    heldCount += frame.events.filter((event) => !cards.has(event.id)).length;
    fresh();
  },
  gap(frame) {
    if (asking) return;
    if (paused) { behind = true; fresh(); return; }
    note("Catching up…");
    readAfter(frame.after, turn);
  },
  error(frame) {
    pending = Math.max(0, pending - 1);
    note(frame.message);
  },
};

function state(name, words) {
  at("state").className = `pill ${name}`;
  at("state").textContent = paused && name === "open" ? "Paused" : words;
}

function note(words) {
  at("note").hidden = !words;
  at("note").textContent = words;
}

function query(more = {}) {
  const form = new FormData(at("filters"));
  const set = [...form.entries()].filter(([, value]) => value && value.trim());
  return new URLSearchParams([...set.map(([name, value]) => [name, value.trim()]), ...Object.entries(more)]).toString();
}

// --- reading by REST ---------------------------------------------------------------------------
async function read(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" }, credentials: "same-origin" });
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  return answer.json();
}

// The newest events first; what the socket says goes on top of them.
async function start(after) {
  cursor = after;
  const mine = turn;
  try {
    const page = await read(`/api/v1/events/?${query({ limit: 50 })}`);
    if (mine !== turn) return;
    note("");
    for (const event of page.results.reverse()) place(event, false);
    askRuns();
  } catch (problem) {
    note(problem.message);
  }
  settle();
}

// After a gap: every event after an id, page by page, oldest first.
async function readAfter(after, mine) {
  try {
    for (;;) {
      const page = await read(`/api/v1/events/?${query({ limit: PAGE, after })}`);
      if (mine !== turn) return;
      for (const event of [...page.results].reverse()) place(event, true);
      if (!page.results.length) break;
      after = Math.max(...page.results.map((event) => event.id));
      if (page.results.length < PAGE) break;
    }
    cursor = Math.max(cursor, after);
    note("");
    askRuns();
  } catch (problem) {
    note(`${problem.message} Trying again…`);
    setTimeout(() => mine === turn && readAfter(after, mine), 3000);
  }
  settle();
}

function askRuns() {
  const ids = [...cards.keys()].slice(-SHOWN_MAX);
  if (ids.length) socket.send({ type: "runs", events: ids });
}

// --- showing -----------------------------------------------------------------------------------
function take(frame) {
  for (const event of frame.events) {
    if (!cards.has(event.id)) arrivals.push(Date.now());
    place(event, true);
  }
  for (const run of frame.runs) placeRun(run);
  cursor = Math.max(cursor, frame.after);
  settle();
}

function settle() {
  const ids = [...cards.keys()].sort((a, b) => a - b);
  for (const id of ids.slice(0, Math.max(0, ids.length - SHOWN_MAX))) {
    cards.get(id).element.remove();
    cards.delete(id);
  }
  at("empty").hidden = cards.size > 0;
  at("events").setAttribute("aria-busy", "false");
  at("pause").disabled = false; // a list that is still to come cannot stand still
  rate();
}

function rate() {
  while (arrivals.length && arrivals[0] < Date.now() - 60000) arrivals.shift();
  at("rate").textContent = arrivals.length ? `${arrivals.length} / min` : "";
}

function place(event, isNew) {
  if (cards.has(event.id)) return;
  const when = new Date(event.occurred_at);
  const who = event.sender_name || event.provider_actor_ref || event.conversation_ref;
  const said = event.text || event.subject || event.delivery_status || "";
  const head = h("button", { class: "head", type: "button", onclick: () => open(event.id) },
    h("time", { datetime: event.occurred_at, title: when.toLocaleString() },
      when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false })),
    h("span", { class: "type" }, h("span", { class: "arrow", title: event.direction, "aria-label": event.direction }, ARROWS[event.direction] || "•"),
      h("b", { title: event.event_type }, event.event_type)),
    h("span", { class: "said" }, who ? h("b", {}, who) : "", said ? h("span", {}, said.slice(0, 300)) : ""),
    h("span", { class: "chip", title: event.provider }, event.instance));
  const runs = h("div", { class: "runs" });
  const element = h("article", { class: `event ${event.direction}${isNew ? " new" : ""}`, "data-id": event.id,
    "aria-label": `${event.event_type} ${event.direction}` }, head, runs);
  cards.set(event.id, { event, element, box: runs, runs: new Map() });
  const older = [...at("events").children].find((other) => Number(other.dataset.id) < event.id);
  at("events").insertBefore(element, older || null);
}

function placeRun(run) {
  const card = cards.get(run.event);
  if (!card) return;
  const element = drawRun(run);
  if (card.runs.has(run.id)) card.runs.get(run.id).replaceWith(element);
  else card.box.append(element);
  card.runs.set(run.id, element);
  if (chosen === run.event) showTrace(run.event);
}

function drawRun(run) {
  const steps = run.steps.map((step) => h("li", { class: `step ${step.status}`,
    title: [step.path, step.action, step.status, step.code, step.reason].filter(Boolean).join(" · ") },
    h("i", { "aria-hidden": "true" }), h("span", {}, step.step_id || step.action || step.step_kind),
    h("small", {}, [step.status === "done" ? "" : step.status, step.attempt > 1 ? `try ${step.attempt}` : "", spent(step.duration_ms)].filter(Boolean).join(" · "))));
  const lasted = run.ended_at && run.started_at ? spent(new Date(run.ended_at) - new Date(run.started_at)) : "";
  return h("div", { class: "run", "data-run": run.id },
    h("span", { class: "name" }, run.workflow, h("small", {}, ` v${run.version}${run.replay_no ? ` · rerun ${run.replay_no}` : ""}`)),
    h("span", { class: `mark ${run.state}` }, run.state),
    lasted ? h("span", { class: "why" }, lasted) : "",
    run.reason ? h("span", { class: "why" }, run.reason) : "",
    steps.length ? h("ol", { class: "steps" }, steps) : "");
}

function spent(ms) {
  if (ms === null || ms === undefined) return "";
  if (ms < 1) return "<1 ms";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

// --- one event ---------------------------------------------------------------------------------
function open(id) {
  const card = cards.get(id);
  if (!card) return;
  mark(id);
  at("detail").hidden = false;
  at("detail-title").textContent = `${card.event.event_type} · #${id}`;
  at("detail-about").textContent = `${card.event.instance} · ${new Date(card.event.occurred_at).toLocaleString()}`;
  at("detail-json").textContent = "Reading…";
  showTrace(id);
  at("detail-close").focus();
}

async function showTrace(id) {
  let words;
  try {
    words = JSON.stringify(await read(`/api/v1/events/${id}/trace/`), null, 2);
  } catch (problem) {
    words = problem.message;
  }
  if (chosen === id) at("detail-json").textContent = words;
}

function mark(id) {
  if (chosen !== null) cards.get(chosen)?.element.classList.remove("chosen");
  chosen = id;
  if (id !== null) cards.get(id)?.element.classList.add("chosen");
}

function closeDetail() {
  const card = cards.get(chosen);
  mark(null);
  at("detail").hidden = true;
  card?.element.querySelector(".head").focus();
}

// --- the page ----------------------------------------------------------------------------------
function fresh() {
  at("fresh").hidden = !paused || !(heldCount || behind);
  at("fresh").textContent = behind ? "Many new events" : `${heldCount} new event${heldCount === 1 ? "" : "s"}`;
}

function pause(on) {
  paused = on;
  at("pause").setAttribute("aria-pressed", String(on));
  at("pause-words").textContent = on ? "Resume" : "Pause";
  if (at("state").classList.contains("open")) state("open", "Live");
  if (!on) {
    const waiting = held;
    held = [];
    heldCount = 0;
    if (behind) refilter();
    else waiting.forEach(take);
  }
  fresh();
}

function refilter() {
  if (!at("filters").checkValidity()) return;
  turn += 1;
  held = [];
  heldCount = 0;
  behind = false;
  cards.clear();
  at("events").replaceChildren();
  at("events").setAttribute("aria-busy", "true");
  closeDetail();
  fresh();
  cursor = null;
  asking = true;
  history.replaceState(null, "", query() ? `?${query()}` : location.pathname);
  subscribe();
}

function subscribe() {
  if (socket.send({ type: "subscribe", ...Object.fromEntries(new URLSearchParams(query())) })) pending += 1;
}

for (const [name, value] of new URLSearchParams(location.search)) {
  const field = at("filters").elements[name];
  if (field) field.value = value;
}
at("filters").addEventListener("change", refilter);
at("filters").addEventListener("submit", (event) => { event.preventDefault(); refilter(); });
at("pause").addEventListener("click", () => pause(!paused));
at("fresh").addEventListener("click", () => { pause(false); at("stream").scrollTo({ top: 0, behavior: "smooth" }); });
at("detail-close").addEventListener("click", closeDetail);
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !at("detail").hidden) closeDetail(); });
setInterval(rate, 5000);
