// The visitor's side of the built-in web chat. Who the visitor is stands in a cookie we cannot read.
import { h, openSocket, socketUrl } from "./socket.js";
import { encode, pickedFiles } from "./attach.js";
import { drawFiles, drawOptions, drawText, drawTicks } from "./bubbles.js";

const slug = document.body.dataset.slug;
const at = (id) => document.getElementById(id);
const [log, messages, text, files] = ["log", "messages", "text", "files"].map(at);
const TYPING_EVERY_MS = 4000;
const KEPT = `omni-chat-unsent:${slug}`;
const NO_PROOF = 4401;

const shown = new Map(); // message id -> {message, element}
const unsent = new Map(); // our id -> frame that is not acknowledged
let visitor = "";
let oldest = null; // event id of the first message on show
let typedAt = 0;
let typingTimer = 0;
let readTo = "";

const picked = pickedFiles({ box: at("picked"), changed: ready, complain: (words) => banner(words, true) });
const socket = openSocket({
  url: () => socketUrl(`/ws/chat/${slug}/`),
  onFrame: (frame) => (frames[frame.type] || (() => {}))(frame),
  onState: closed,
  final: [NO_PROOF, 4404],
});

const frames = {
  hello(frame) {
    visitor = frame.visitor;
    state("open", "Online");
    banner("");
    if (frame.greeting) at("greeting").textContent = frame.greeting;
    showHistory(frame.messages);
    restore();
    for (const waiting of unsent.values()) socket.send(waiting);
  },
  history(frame) { showHistory(frame.messages); },
  message(frame) {
    if (!frame.message.own) typing(false);
    show(frame.message);
    markRead();
  },
  ack(frame) {
    if (!unsent.delete(frame.id)) return;
    keep();
    banner("");
    tick(`${visitor}:${frame.id}`, "sent");
  },
  typing(frame) { typing(frame.state === "typing" || frame.state === "recording"); },
  read() { ownRead(); },
  error(frame) {
    const own = frame.id && unsent.has(frame.id);
    if (own) tick(`${visitor}:${frame.id}`, "failed");
    // Of a typing mark that was one too many nobody needs to know.
    if (frame.code === "too_many" ? own : !own && frame.code !== "no_proof") banner(frame.message, true);
  },
};

function closed(how, code) {
  typing(false);
  if (how === "waiting") {
    state("waiting", "Reconnecting…");
    banner(navigator.onLine ? "Connection lost. Trying again…" : "You are offline. Messages are sent once you are back.");
  } else if (code === NO_PROOF && !sessionStorage.getItem("omni-chat-renewed")) {
    sessionStorage.setItem("omni-chat-renewed", "1"); // the page hands out a new token
    location.reload();
  } else {
    state("", "Closed");
    banner("This chat is not available.", true);
  }
}

function state(name, words) {
  at("state").className = `state ${name}`;
  at("state").textContent = words;
  if (name === "open") sessionStorage.removeItem("omni-chat-renewed");
}

function banner(words, bad = false) {
  at("banner").hidden = !words;
  at("banner").textContent = words;
  at("banner").classList.toggle("bad", bad);
}

// --- messages ----------------------------------------------------------------------------------
function showHistory(list) {
  const older = list.length && oldest !== null && list[0].event < oldest;
  const height = log.scrollHeight;
  for (const message of list) show(message, true);
  if (list.length) oldest = oldest === null ? list[0].event : Math.min(oldest, list[0].event);
  at("earlier").hidden = list.length < 50;
  at("welcome").hidden = shown.size > 0;
  arrange();
  if (older) log.scrollTop += log.scrollHeight - height;
  else toEnd();
  markRead();
}

function show(given, quiet = false) {
  const known = shown.get(given.id);
  const message = { ...given, status: given.status || (given.own ? "sent" : "") };
  if (known?.message.files?.some((file) => file.url.startsWith("blob:"))) message.files = known.message.files;
  const near = log.scrollHeight - log.scrollTop - log.clientHeight < 120;
  const element = draw(message);
  if (known) known.element.replaceWith(element);
  else messages.append(element);
  shown.set(message.id, { message, element });
  if (!message.own) ownRead();
  if (quiet) return;
  at("welcome").hidden = true;
  arrange();
  if (near || message.own) toEnd();
  else at("down").hidden = false;
}

function draw(message) {
  const bubble = h("div", { class: "bubble" });
  const quoted = message.reply_to && shown.get(message.reply_to);
  if (quoted) bubble.append(h("p", { class: "quote" }, quoted.message.text || "…"));
  if (message.deleted) bubble.append(h("p", { class: "gone" }, "This message was deleted."));
  bubble.append(...drawFiles(message.files || [], toEndIfNear));
  if (message.text) bubble.append(drawText(message.text));
  bubble.append(...drawOptions(message, vote));
  const when = new Date(message.at);
  const clock = when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const meta = h("div", { class: "meta" },
    h("time", { datetime: message.at, title: when.toLocaleString() }, clock),
    message.edited ? "edited" : "", message.own ? drawTicks(message.status || "sent") : "");
  if (message.status === "failed") {
    meta.append(h("button", { class: "retry", type: "button", onclick: () => again(message) }, "Send again"));
  }
  return h("article", { class: `message${message.own ? " own" : ""}`, "data-id": message.id }, bubble, meta);
}

function toEndIfNear() {
  if (log.scrollHeight - log.scrollTop - log.clientHeight < 400) toEnd();
}

// Sorts by time, joins neighbours of one side, sets the days between.
function arrange() {
  for (const day of messages.querySelectorAll(".day")) day.remove();
  const rows = [...shown.values()].sort((a, b) => a.message.at.localeCompare(b.message.at));
  let before = null;
  for (const [index, { message, element }] of rows.entries()) {
    const when = new Date(message.at);
    const sameDay = before && new Date(before.at).toDateString() === when.toDateString();
    const joined = sameDay && before.own === message.own && when - new Date(before.at) < 120000;
    element.classList.toggle("joined", Boolean(joined));
    if (messages.children[index] !== element) messages.append(element);
    before = message;
  }
  for (const { message, element } of rows) {
    const name = dayName(new Date(message.at));
    const above = [...messages.querySelectorAll(".day")].pop();
    if (!above || above.textContent !== name) element.before(h("div", { class: "day" }, name));
  }
}

function dayName(date) {
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86400000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return date.toLocaleDateString([], { day: "numeric", month: "long", year: "numeric" });
}

function tick(id, status) {
  const entry = shown.get(id);
  if (!entry || entry.message.status === "read") return;
  show({ ...entry.message, status }, true);
  arrange();
}

function ownRead() {
  for (const { message, element } of shown.values()) {
    if (message.own && message.status === "sent") {
      message.status = "read";
      element.querySelector(".tick")?.replaceWith(drawTicks("read"));
    }
  }
}

function toEnd() {
  log.scrollTop = log.scrollHeight;
  at("down").hidden = true;
}

function typing(on) {
  clearTimeout(typingTimer);
  at("typing").hidden = !on;
  if (!on) return;
  if (log.scrollHeight - log.scrollTop - log.clientHeight < 160) toEnd();
  typingTimer = setTimeout(() => typing(false), 15000);
}

function markRead() {
  if (document.hidden) return;
  const theirs = [...shown.values()].map((entry) => entry.message).filter((message) => !message.own);
  const last = theirs.at(-1);
  if (!last || last.id === readTo || last.status === "read") return;
  readTo = last.id;
  socket.send({ type: "read", id: newId(), target: last.id });
}

// --- sending -----------------------------------------------------------------------------------
function newId() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function send() {
  const said = text.value.trim();
  if (!visitor || (!said && !picked.count)) return;
  const sent = picked.take();
  text.value = "";
  grow();
  const frame = { type: "message", id: newId(), text: said, files: await Promise.all(sent.map(encode)) };
  show({
    id: `${visitor}:${frame.id}`, own: true, text: said, at: new Date().toISOString(), status: "sending",
    files: sent.map((file) => ({ kind: file.type.split("/")[0], mime: file.type, name: file.name,
      size: file.size, url: URL.createObjectURL(file) })),
  });
  push(frame);
}

function push(frame) {
  unsent.set(frame.id, frame);
  keep();
  socket.send(frame);
}

function again(message) {
  const frame = unsent.get(message.id.slice(visitor.length + 1));
  if (!frame) return;
  tick(message.id, "sending");
  socket.send(frame);
}

function vote(message, option) {
  socket.send({ type: "vote", id: newId(), target: message.id, options: [option] });
}

// Texts that were not acknowledged survive a reload; files do not fit there.
function keep() {
  const texts = [...unsent.values()].filter((frame) => !frame.files.length);
  sessionStorage.setItem(KEPT, JSON.stringify(texts));
}

function restore() {
  for (const frame of JSON.parse(sessionStorage.getItem(KEPT) || "[]")) {
    if (unsent.has(frame.id)) continue;
    unsent.set(frame.id, frame);
    if (!shown.has(`${visitor}:${frame.id}`)) {
      show({ id: `${visitor}:${frame.id}`, own: true, text: frame.text, at: new Date().toISOString(),
        status: "sending", files: [] });
    }
  }
}

function ready() { at("send").disabled = !text.value.trim() && !picked.count; }

function grow() {
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight + 2, 168)}px`;
  ready();
}

// --- the page ----------------------------------------------------------------------------------
at("composer").addEventListener("submit", (event) => { event.preventDefault(); send(); });
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
});
text.addEventListener("input", () => {
  grow();
  if (text.value.trim() && Date.now() - typedAt > TYPING_EVERY_MS) {
    typedAt = Date.now();
    socket.send({ type: "typing", id: newId(), state: "typing" });
  }
});
text.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) { event.preventDefault(); picked.add(event.clipboardData.files); }
});
files.addEventListener("change", () => { picked.add(files.files); files.value = ""; text.focus(); });
at("earlier").addEventListener("click", () => socket.send({ type: "history", before: oldest }));
at("down").addEventListener("click", toEnd);
log.addEventListener("scroll", () => {
  if (log.scrollHeight - log.scrollTop - log.clientHeight < 40) at("down").hidden = true;
});
// Who stands at the end stays there when the composer grows or a phone's keyboard opens.
let tall = log.clientHeight;
new ResizeObserver(() => {
  if (log.scrollHeight - log.scrollTop - tall < 60) toEnd();
  tall = log.clientHeight;
}).observe(log);
document.addEventListener("visibilitychange", markRead);
at("chat").addEventListener("dragover", (event) => { event.preventDefault(); at("chat").classList.add("over"); });
at("chat").addEventListener("dragleave", () => at("chat").classList.remove("over"));
at("chat").addEventListener("drop", (event) => {
  event.preventDefault();
  at("chat").classList.remove("over");
  picked.add(event.dataTransfer.files);
});
