// A socket that comes back by itself: waits longer after every failed try, notices silence.
const FIRST_MS = 500;
const MOST_MS = 15000;
const SILENCE_MS = 45000; // the server says something every 20 seconds

// url(): the address, asked before every try. onFrame(frame), onState("open"|"waiting"|"ended", code).
// final: close codes after which trying again cannot help.
export function openSocket({ url, onFrame, onState, onOpen = () => {}, final = [] }) {
  let socket = null;
  let tries = 0;
  let timer = 0;
  let silence = 0;
  let stopped = false;

  function listen() {
    clearTimeout(silence);
    silence = setTimeout(() => socket && socket.close(), SILENCE_MS);
  }

  function open() {
    clearTimeout(timer);
    socket = new WebSocket(url());
    socket.onopen = () => { listen(); onOpen(); };
    socket.onmessage = (event) => {
      listen();
      tries = 0;
      onFrame(JSON.parse(event.data));
    };
    socket.onclose = (event) => {
      clearTimeout(silence);
      socket = null;
      if (stopped || final.includes(event.code)) {
        onState("ended", event.code);
        return;
      }
      onState("waiting", event.code);
      const wait = Math.min(FIRST_MS * 2 ** tries, MOST_MS) * (0.7 + Math.random() * 0.6);
      tries += 1;
      timer = setTimeout(open, wait);
    };
  }

  window.addEventListener("online", () => { if (!socket && !stopped) { tries = 0; open(); } });
  open();
  return {
    send(frame) {
      if (!socket || socket.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify(frame));
      return true;
    },
    stop() { stopped = true; if (socket) socket.close(); },
  };
}

// An absolute socket address of this host.
export function socketUrl(path) {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}

// An element: h("p", {class: "note", onclick: fn}, "text", child). Text is never parsed as HTML.
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== "") element.append(child);
  }
  return element;
}
