// The files picked for the next message: shown above the field, read when it is sent.
import { h } from "./socket.js";
import { sizeText } from "./bubbles.js";

const MOST = 10;
const BYTES = 5.9 * 1024 * 1024; // base64 makes a third more; the socket takes 8 MiB

// box: where they are shown. changed(): after every change. complain(words): "" takes it back.
export function pickedFiles({ box, changed, complain }) {
  let chosen = [];

  function draw() {
    box.replaceChildren(...chosen.map((file) => h("div", { class: "pick" },
      file.type.startsWith("image/") ? h("img", { src: URL.createObjectURL(file), alt: "" }) : "",
      h("span", { title: file.name }, file.name),
      h("button", { type: "button", "aria-label": `Remove ${file.name}`,
        onclick: () => { chosen = chosen.filter((other) => other !== file); draw(); } }, "×"))));
    box.hidden = !chosen.length;
    changed();
  }

  return {
    get count() { return chosen.length; },
    add(list) {
      const all = [...chosen, ...list].slice(0, MOST);
      const fits = all.reduce((sum, file) => sum + file.size, 0) <= BYTES;
      complain(fits ? "" : `Files of one message have at most ${sizeText(BYTES)} together.`);
      if (fits) { chosen = all; draw(); }
    },
    take() {
      const taken = chosen;
      chosen = [];
      draw();
      return taken;
    },
  };
}

// A file as a frame carries it.
export function encode(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve({ name: file.name, mime: file.type || "application/octet-stream",
      base64: reader.result.slice(reader.result.indexOf(",") + 1) });
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
